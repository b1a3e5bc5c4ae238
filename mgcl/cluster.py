"""Ray, connected to or started here; whatever runs on it imports ray through its own module."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # it would go on handing out trials
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the other reporter ignores verbose=0
# Workers keep what they freed: giving large arrays back and faulting them in again costs a tenth of a trial.
os.environ.setdefault("MALLOC_ARENA_MAX", "1")
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**25))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**29))

import ray

from mgcl.errors import ClusterError
from mgcl.machines import Machines

# Workers are handed paths, not arrays: the object store stays almost empty.
_OBJECT_STORE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to."""

    dashboard: str | None
    """Address of its web page, if it has one."""
    slots: int
    """Actors at once."""
    gpus_per_slot: float
    """Each actor's share of a GPU, beside its one CPU; 0: they run on CPUs."""
    session: Path
    """Ray's own folder on this machine, for what nobody needs later."""


@contextmanager
def cluster(machines: Machines, *, cpus: int, dashboard: bool = False) -> Iterator[Cluster]:
    """Connect to a Ray cluster, or start one on this machine, which is stopped at the end.

    Args:
        machines: what is asked for.
        cpus: of the one started here.
        dashboard: start its web page too, on 127.0.0.1.

    Raises:
        ClusterError: no cluster answers at the address, or it has no room for one actor.
    """
    context = _connect(machines.address, {"num_cpus": cpus, "include_dashboard": dashboard})
    try:
        yield _offer(machines, context)
    finally:
        ray.shutdown()


def _connect(address: str | None, here: Mapping[str, Any]) -> Any:
    if address and address.startswith("ray://"):
        raise ClusterError(
            f"--address {address}: no Ray cluster answers this way; run the command on the cluster's head, with "
            "--address auto (`ray submit` and `ray job submit` do)"
        )
    try:
        if address and address != "auto":
            _knock(address)
        with nullcontext() if address else _asking_no_cloud():
            return ray.init(
                address=address or "local",
                logging_level=logging.ERROR,
                log_to_driver=False,
                **({} if address else {**here, "object_store_memory": _OBJECT_STORE_BYTES}),
            )
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ClusterError(
            f"--address {address}: no Ray cluster answers ({reason}); start one, leave it out, or "
            "export RAY_AUTH_MODE=token if it asks for a token"
        ) from None


def _offer(machines: Machines, context: Any) -> Cluster:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    gpus = sum(node.get("GPU", 0) for node in nodes)
    share = (1.0 if gpus else 0.0) if machines.gpus_per_actor is None else machines.gpus_per_actor
    if share and not gpus and not machines.address:
        print("this machine has no GPU: running on CPUs")
        share = 0.0
    elif not gpus and machines.address and machines.gpus_per_actor is None:
        print("the cluster shows no GPU: running on CPUs; ask for a share of those that it may start")
    slots = machines.actors or sum(_fit(node, share) for node in nodes)
    if not slots:
        raise ClusterError(
            f"--address {machines.address}: no node has a CPU and {share:g} of a GPU; if it starts nodes by itself, "
            "say how many should run at once (--workers, --actors)"
        )
    session = Path(context.address_info["session_dir"])
    return Cluster(context.dashboard_url or None, slots, share, session)


def _fit(node: Mapping[str, float], share: float) -> int:
    """Actors that a node has room for; a fraction lies on one device."""
    cpus, gpus = node.get("CPU", 0.0), node.get("GPU", 0.0)
    if not share:
        return int(cpus)
    return int(min(cpus, gpus * int(1 / share) if share <= 1 else gpus // share))


@contextmanager
def _asking_no_cloud() -> Iterator[None]:
    """Ray's head process asks the metadata addresses of three clouds who owns the machine, usage reports or not.

    It has no switch for that: here its plain HTTP goes to a port of this machine where nobody listens.
    """
    before = {name: os.environ.get(name) for name in ("http_proxy", "HTTP_PROXY")}
    os.environ.update(dict.fromkeys(before, "http://127.0.0.1:9"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _knock(address: str) -> None:
    """Ray itself waits for minutes where nobody listens."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=10).close()
