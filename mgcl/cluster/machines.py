"""Machines that actors run on, as a user requests them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mgcl.errors import ClusterError


@dataclass(frozen=True)
class Machines:
    """Requested machines for actors. Every actor has one CPU.

    Attributes:
        address: address of a running Ray cluster whose nodes share this machine's folders; None starts a cluster here.
        actors: number of actors at once, >= 1; None: as many as the cluster's CPUs and GPUs have room for.
        gpus_per_actor: share of a GPU per actor: 0, a fraction, or whole GPUs; None: 1 if there are GPUs, else 0.
    """

    address: str | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ClusterError: a field is out of range; the message names the value.
        """
        gpus = self.gpus_per_actor or 0
        if fault := _fault(self.address):
            raise ClusterError(f"`address` {self.address}: no Ray cluster answers {fault}")
        if self.actors is not None and self.actors < 1:
            raise ClusterError(f"{self.actors} actors at once (`actors`): choose at least 1")
        if not 0 <= gpus < float("inf") or (gpus > 1 and gpus != int(gpus)):
            raise ClusterError(f"a GPU share of {gpus}: choose 0, a fraction, or whole GPUs")


def _fault(address: str | None) -> str | None:
    """Return the reason why an address cannot be a cluster's, or None if it can."""
    if address is None or address == "auto":
        return None
    if address.startswith("ray://"):
        return (
            "this way; run the command on the cluster's head, with `address` auto (`ray submit`, `ray job submit` do)"
        )
    host, _, port = address.rpartition(":")
    return None if host and port.isdecimal() and int(port) < 2**16 else "there; give auto or host:port"


def room(node: Mapping[str, float], share: float) -> int:
    """Return the number of actors that a node has room for. A fraction of a GPU must be on one device.

    Args:
        node: resources of the node: "CPU" and "GPU".
        share: share of a GPU per actor, besides its one CPU.
    """
    cpus, gpus = node.get("CPU", 0.0), node.get("GPU", 0.0)
    if not share:
        return int(cpus)
    return int(min(cpus, gpus * int(1 / share) if share <= 1 else gpus // share))
