"""Ray, connected to or started here; whatever runs on it imports ray through its own module."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the other reporter ignores verbose=0

import ray

from mgcl.errors import ClusterError

# Workers are handed paths, not arrays: the object store stays almost empty.
_OBJECT_STORE_BYTES = 128 * 2**20


@contextmanager
def cluster(address: str | None, workers: int) -> Iterator[float]:
    """Connect to a Ray cluster, or start one of ``workers`` CPUs on this machine; yields its GPUs.

    Args:
        address: "auto" or host:port of a running cluster; None starts one here and stops it at the end.
        workers: CPUs of the one started here.

    Raises:
        ClusterError: no cluster answers at the address.
    """
    here: dict[str, Any] = {"num_cpus": workers, "object_store_memory": _OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        if address and address != "auto":
            _knock(address)
        with nullcontext() if address else _asking_no_cloud():
            ray.init(
                address=address or "local",
                logging_level=logging.ERROR,
                log_to_driver=False,
                **({} if address else here),
            )
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ClusterError(
            f"--address {address}: no Ray cluster answers ({reason}); start one, or leave it out"
        ) from None
    try:
        yield float(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
    finally:
        ray.shutdown()


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
    host, _, port = address.removeprefix("ray://").rpartition(":")
    socket.create_connection((host, int(port)), timeout=10).close()
