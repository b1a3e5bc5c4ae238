"""Connection to a Ray cluster, or start of one on this machine."""

import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Tune's handler would go on handing out trials
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
# Signals end the driver as Ctrl-C does, without a stack trace from Ray's core.
os.environ.setdefault("RAY_DISABLE_FAILURE_SIGNAL_HANDLER", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the other reporter ignores verbose=0
# Workers keep freed memory: returning large arrays to the system and faulting them in again costs a tenth of a trial.
os.environ.setdefault("MALLOC_ARENA_MAX", "1")
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**25))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**29))

import ray
from ray._common.utils import get_default_ray_temp_dir

from mgcl.cluster.machines import Machines, room
from mgcl.errors import ENDINGS, ClusterError
from mgcl.progress import at_work

# Workers get paths, not arrays: the object store stays almost empty.
_OBJECT_STORE_BYTES = 128 * 2**20
_QUIET: Mapping[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
# Largest length of a socket's path in bytes, a kernel limit. Ray's sockets lie in folders named by date and process.
_SOCKET_BYTES = 107
_SOCKET = f"session_2026-01-01_00-00-00_000000_{os.getpid()}/sockets/plasma_store"


@dataclass(frozen=True)
class Cluster:
    """Ray cluster that this process is connected to."""

    dashboard: str | None
    """Address of the cluster's web page, if it has one."""
    slots: int
    """Number of actors that run at once."""
    gpus_per_slot: float
    """Share of a GPU per actor, besides its one CPU. 0: actors run on CPUs."""
    session: Path
    """Ray's session folder on this machine, for temporary files."""


@contextmanager
def cluster(machines: Machines, *, cpus: int, dashboard: bool = False) -> Iterator[Cluster]:
    """Connect to a Ray cluster, or start one on this machine; a cluster started here is stopped at the end.

    Args:
        machines: requested address, actors and GPU share.
        cpus: number of CPUs of a cluster started here.
        dashboard: whether a cluster started here serves its web page, on 127.0.0.1.

    Yields:
        The cluster.

    Raises:
        ClusterError: no cluster answers at the address, Ray does not start, or there is no room for one actor.
    """
    with _keeping_handlers():
        if machines.address:
            with at_work(f"connecting to the Ray cluster at {machines.address}"):
                context = _connect(machines.address)
        else:
            with at_work(f"starting Ray on {cpus} CPUs"):
                context = _start({"num_cpus": cpus, "include_dashboard": dashboard})
    try:
        yield _offer(machines, context)
    finally:
        ray.shutdown()


def _start(options: Mapping[str, Any]) -> Any:
    """Start Ray on this machine, in Ray's default folder; retry without the web page if that does not start."""
    folder = Path(get_default_ray_temp_dir())  # type: ignore[no-untyped-call]
    check_folder(folder)
    try:
        with _asking_no_cloud():
            return ray.init(address="local", **_QUIET, **options, object_store_memory=_OBJECT_STORE_BYTES)
    except Exception as error:  # Ray has no error class of its own for the web page
        if options.get("include_dashboard"):
            ray.shutdown()
            print(f"Ray's web page does not start ({_reason(error)}); trying again without it", flush=True)
            return _start({**options, "include_dashboard": False})
        raise ClusterError(
            f"Ray does not start on this machine ({_reason(error)}); its logs lie in {folder}, "
            "and --local runs a sweep without it"
        ) from None


def check_folder(folder: Path) -> None:
    """Check that Ray can open its sockets in a folder.

    Args:
        folder: folder for Ray's sessions; it is created if it is missing.

    Raises:
        ClusterError: the folder's name is too long, or the folder cannot be written.
    """
    variable = next((name for name in ("RAY_TMPDIR", "TMPDIR") if name in os.environ), "RAY_TMPDIR")
    most = _SOCKET_BYTES - len(_SOCKET) - 1
    if len(os.fsencode(folder)) > most:
        raise ClusterError(
            f"{folder}: Ray opens sockets in this folder, and the system takes {most} characters of its name, not "
            f"{len(os.fsencode(folder))}: set RAY_TMPDIR=/tmp, or another short folder{_instead_of(variable)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ClusterError(
            f"{folder}: Ray opens sockets in this folder, and nothing can be written there ({error.strerror}): set "
            f"RAY_TMPDIR to a folder with a short name that you may write{_instead_of(variable)}"
        ) from None


def _instead_of(variable: str) -> str:
    return f"; it goes before {variable}" if variable != "RAY_TMPDIR" else ""


def _connect(address: str) -> Any:
    try:
        if address != "auto":
            _knock(address)
        return ray.init(address=address, **_QUIET)
    except (OSError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"`address` {address}: no Ray cluster answers ({_reason(error)}); {_advice(error)}"
        ) from None


def _advice(error: Exception) -> str:
    """Return advice that fits the cause of a failed connection."""
    words = str(error).lower()
    if "token" in words or "auth" in words:
        return "export RAY_AUTH_MODE=token, and give the cluster's token as it asks for"
    if "version" in words:
        return "install the cluster's versions of Ray and Python here"
    return "start one there (`ray start --head`), or leave `address` out: then Ray starts on this machine"


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _keeping_handlers() -> Iterator[None]:
    """Restore our signal handlers after Ray's start, which sets a SIGTERM handler that exits without a message."""
    before = {each: signal.getsignal(each) for each in ENDINGS}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            signal.signal(number, handler)


def _offer(machines: Machines, context: Any) -> Cluster:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    gpus = sum(node.get("GPU", 0) for node in nodes)
    share = (1.0 if gpus else 0.0) if machines.gpus_per_actor is None else machines.gpus_per_actor
    if share and not gpus and not machines.address:
        print("this machine has no GPU: running on CPUs")
        share = 0.0
    elif not gpus and machines.address and machines.gpus_per_actor is None:
        print("the cluster shows no GPU: running on CPUs; ask for a share of those that it may start")
    slots = machines.actors or sum(room(node, share) for node in nodes)
    if not slots:
        if not machines.address:
            raise ClusterError(
                f"this machine has {gpus:g} GPUs: no worker can have {share:g} of them and a CPU; ask for less"
            )
        raise ClusterError(
            f"`address` {machines.address}: no node has a CPU and {share:g} of a GPU; if it starts nodes by itself, "
            "say how many should run at once (`actors`)"
        )
    session = Path(context.address_info["session_dir"])
    return Cluster(context.dashboard_url or None, slots, share, session)


@contextmanager
def _asking_no_cloud() -> Iterator[None]:
    """Keep Ray's head process from requesting the metadata addresses of three clouds.

    Ray requests them even without usage reports, and has no switch for it. Here its plain HTTP goes to a port of this
    machine on which nothing listens.
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
    """Raise at once if no process listens at an address; Ray itself would wait for minutes.

    Raises:
        OSError: no process listens at the address.
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=10).close()
