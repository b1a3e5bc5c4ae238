"""Where actors run, as a user asks for it."""

from dataclasses import dataclass

from mgcl.errors import ClusterError


@dataclass(frozen=True)
class Machines:
    """Where actors run.

    Attributes:
        address: of a running Ray cluster, whose nodes see the same folders; None starts one here.
        actors: at once; None: as many as its free CPUs and GPUs take.
        gpus_per_actor: share of a GPU; None: 1 where there are GPUs. Each actor has one CPU.
    """

    address: str | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no machine can give.

        Raises:
            ClusterError: names the value.
        """
        gpus = self.gpus_per_actor or 0
        if fault := _fault(self.address):
            raise ClusterError(f"`address` {self.address}: no Ray cluster answers {fault}")
        if self.actors is not None and self.actors < 1:
            raise ClusterError(f"{self.actors} actors at once (`actors`): choose at least 1")
        if not 0 <= gpus < float("inf") or (gpus > 1 and gpus != int(gpus)):
            raise ClusterError(f"a GPU share of {gpus}: choose 0, a fraction, or whole GPUs")


def _fault(address: str | None) -> str | None:
    """What keeps an address from being any cluster's; None: nothing."""
    if address is None or address == "auto":
        return None
    if address.startswith("ray://"):
        return (
            "this way; run the command on the cluster's head, with `address` auto (`ray submit`, `ray job submit` do)"
        )
    host, _, port = address.rpartition(":")
    return None if host and port.isdecimal() and int(port) < 2**16 else "there; give auto or host:port"
