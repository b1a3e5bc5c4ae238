"""Tunnel to the MLflow server on a Ray cluster's head, which accepts connections from the head only."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from mgcl.errors import ClusterError

_PORT = 5000
_SECONDS = 60


@contextmanager
def mlflow_tunnel(cluster_file: Path) -> Iterator[str]:
    """Forward a free port of this machine to port 5000 of the head, over ssh, while the context lasts.

    Args:
        cluster_file: configuration file of a running cluster, as ``ray up`` reads it.

    Yields:
        Address of the MLflow server on this machine.

    Raises:
        ClusterError: the head cannot be reached, or no MLflow server answers there within a minute.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as said:
        # Ray's command that can forward to any port of the head. As a separate process it can always be ended.
        command = [Path(sys.executable).with_name("ray"), "dashboard", cluster_file, "-p", port, "--remote-port", _PORT]
        tunnel = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            if not comes_up(address, tunnel, seconds=_SECONDS):
                said.seek(0)
                raise ClusterError(_what_is_wrong(cluster_file, tunnel.poll() is not None, said.read().decode()))
            yield address
        finally:
            if tunnel.poll() is None:
                os.killpg(tunnel.pid, signal.SIGTERM)
            tunnel.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def comes_up(address: str, process: subprocess.Popen[bytes], *, seconds: float) -> bool:
    """Wait until an MLflow server answers at an address.

    An open port is not enough: ssh accepts connections that no server answers at the other end.

    Args:
        address: address of the server.
        process: process that makes the server available: the server itself, or the tunnel to it.
        seconds: longest wait in seconds.

    Returns:
        True if the server reports that it is healthy; False if it does not, the process ended, or the time is over.
    """
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            return requests.get(f"{address}/health", timeout=5).ok
        except requests.RequestException:
            time.sleep(0.2)
    return False


def _what_is_wrong(cluster_file: Path, ended: bool, said: str) -> str:
    if not ended:
        return (
            f"{cluster_file}: no MLflow server answers at port {_PORT} of the cluster's head within {_SECONDS} s; "
            f"`ray up {cluster_file}` starts it again"
        )
    before, _, report = said.strip().partition("\nError: ")
    reason = report.partition("The exception is: ")[2].partition("\n")[0]
    if not reason or reason == "Command failed:":  # then the reason is ssh's last line
        reason = before.rpartition("\n")[2]
    return (
        f"{cluster_file}: the cluster's head is not reached ({reason.strip()}); start it with `ray up {cluster_file}`"
    )
