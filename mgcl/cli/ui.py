"""``mgcl ui``: show the newest sweep in MLflow's web page."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mgcl.cli.commands import Commands, add_address, check_address
from mgcl.errors import MgclError, TrackingError
from mgcl.masking import masked, scrubbed

_SECONDS = 120


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    ui = commands.add_parser("ui", help="look at the runs in a browser, with MLflow's server on this machine")
    ui.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    add_address(ui, port=5000)
    ui.set_defaults(job=_ui)


def _ui(flags: argparse.Namespace) -> int:
    from mgcl.tracking.artifacts import readdress
    from mgcl.tracking.bulk import analyse
    from mgcl.tracking.store import alone, answering, default_uri, newest_experiment, runs_page

    uri = flags.tracking_uri or default_uri()
    experiment = newest_experiment(uri)
    if experiment is None:
        raise TrackingError(
            f"{masked(uri)}: no sweep is recorded there; run one with `mgcl sweep NAME` first, or name a --tracking-uri"
        )
    if uri.startswith("http"):
        _show(runs_page(uri, experiment), browser=not flags.no_browser)
        return 0
    check_address(flags.host, flags.port)
    with suppress(MgclError), answering(uri), alone(uri):  # a read-only store keeps its files' former addresses
        readdress(uri)
        analyse(uri)
    print("starting MLflow's server ...", flush=True)
    with suppress(KeyboardInterrupt), _server(uri, flags.host, flags.port) as server:
        _show(runs_page(f"http://{flags.host}:{flags.port}", experiment), browser=not flags.no_browser)
        print("Ctrl-C ends it", flush=True)
        server.wait()
        raise TrackingError(f"{masked(uri)}: MLflow's server has ended; start it again")
    return 0


@contextmanager
def _server(uri: str, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run MLflow's server on a store while the context lasts. It is ready when the context begins.

    Raises:
        TrackingError: the server does not start; holds the last line of its output.
    """
    from mgcl.cluster.tunnel import comes_up

    command = ["-m", "mlflow", "server", "--host", host, "--port", str(port)]
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            [sys.executable, *command, "--workers", "1", "--no-serve-artifacts"],
            # The store's URI may hold a password, and every user of the machine can read a process's arguments.
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_BACKEND_STORE_URI": uri},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if not comes_up(f"http://{host}:{port}", server, seconds=_SECONDS):
                said.seek(0)
                words = said.read().decode(errors="replace").strip() or f"silent for {_SECONDS} s"
                last = scrubbed(words.splitlines()[-1], uri)
                raise TrackingError(f"{masked(uri)}: MLflow's server does not start ({last}); mend that")
            yield server
        finally:
            _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server's whole process group, which includes its workers."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, ending)
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=5)


def _show(address: str, *, browser: bool) -> None:
    print(f"runs: {address}", flush=True)
    if browser:
        webbrowser.open(address)
