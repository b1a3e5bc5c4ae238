"""Sweeps as a user starts them: the real command on a real MLflow store, in another process or in this one.

Where starting Ray is not what is tested, commands join one small cluster with ``--address``, or run with ``--local``.
"""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from mgcl import cli
from mgcl.sweep import main as run_sweep
from sweeps.full_grid import SWEEP
from tests.commands import run_here

ROOT = Path(__file__).parents[2]
Said = subprocess.CompletedProcess[str]
# Twelve trials: enough for something to happen meanwhile.
SLOW = ("--ways", "3", "5", "--shots", "1", "3", "--variants", "full", "audio-only", "zero-shot", "--episodes", "8",
        "--queries", "5")  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A user's folder: a store, a report, a bank."""

    folder: Path
    bank: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list, compare=False)

    @property
    def store(self) -> Path:
        return self.folder / "home" / "mlflow.db"

    @property
    def report(self) -> Path:
        return self.folder / "reports" / "full_grid"

    def report_bytes(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in sorted(self.report.iterdir())}

    def command(self, *flags: str, script: Path = ROOT / "sweeps" / "full_grid.py") -> list[str]:
        return [sys.executable, str(script), "--bank", str(self.bank), *flags]

    def start(self, *flags: str, **options) -> subprocess.Popen[str]:
        environment = {**os.environ, "MGCL_HOME": str(self.folder / "home"), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            self.command(*flags, **options),
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *flags: str, **options) -> Said:
        process = self.start(*flags, **options)
        output, errors = process.communicate(timeout=500)
        return subprocess.CompletedProcess(flags, process.returncode, output, errors)

    def here(self, *flags: str, asked: object = SWEEP, main: Callable[..., object] = run_sweep) -> Said:
        """A sweep or search in this process; without ``--local`` or ``--address`` it starts Ray."""
        return run_here(
            lambda: main(asked, arguments=["--bank", str(self.bank), *flags]),
            folder=self.folder,
            MGCL_HOME=self.folder / "home",
        )

    def mgcl(self, *words: str) -> Said:
        """Another command of mgcl, in this process."""
        return run_here(lambda: cli.main(words), folder=self.folder, MGCL_HOME=self.folder / "home")

    def query(self, sql: str) -> list[tuple]:
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(sql).fetchall()

    def runs(self) -> list[tuple[str, ...]]:
        """Of trials and the parent: status, and of a trial its key, whether it counts, and its episodes' counts."""
        runs = MlflowClient(f"sqlite:///{self.store}").search_runs(["1"], "tags.kind != 'row'")
        names = ("trial_key", "complete", "scores.accuracy")
        return sorted((run.info.status, *(run.data.tags.get(name, "") for name in names)) for run in runs)

    def complete_runs(self) -> int:
        """Trial runs that count; 0 before there is a store."""
        if not self.store.exists():
            return 0
        try:
            return self.query("SELECT count(*) FROM tags WHERE key = 'complete' AND value = '1'")[0][0]
        except sqlite3.OperationalError:  # its tables are being made
            return 0


def new_place(folder: Path, bank: Path, empty_store: Path) -> Place:
    """With an empty store."""
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "mlflow.db").write_bytes(empty_store.read_bytes())
    return Place(folder, bank)


@pytest.fixture
def place(tmp_path, bank, empty_store) -> Iterator[Place]:
    """Its commands end with the test, even with one that fails."""
    place = new_place(tmp_path, bank.path, empty_store)
    yield place
    for process in place.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def another_place(place, empty_store) -> Place:
    return new_place(place.folder / "another", place.bank, empty_store)


@pytest.fixture(scope="session")
def reference(tmp_path_factory, bank, empty_store) -> Place:
    """The sweep SLOW trial by trial in one process, first one alone: what any other way to run it must equal.

    The processes of one run of the tests share it.
    """
    base, run = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = base.parent / f"reference-{run}" if run else base / "reference"
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").is_file():
            _reference(folder, bank, empty_store)
            (folder / "done").touch()
    return Place(folder, bank.path)


def _reference(folder: Path, bank, empty_store: Path) -> Place:
    place = new_place(folder, bank.path, empty_store)
    first = place.here(*SLOW, "--plan").stdout.splitlines()[-2].split()[1]
    with patch("ray.init", None):
        only = place.here(*SLOW, "--local", "--only", first)
        assert (only.returncode, place.complete_runs()) == (0, 1), only.stderr
        rest = place.here(*SLOW, "--local")
    assert rest.returncode == 0, rest.stderr
    assert "12 trials, 1 recorded, 11 to run" in rest.stdout
    runs = place.runs()
    assert len({key for _, key, _, _ in runs}) == len(runs) == 13, "one parent run, one run a trial"
    assert {(status, complete) for status, _, complete, _ in runs} == {("FINISHED", ""), ("FINISHED", "1")}
    return place


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 400) -> None:
    """Poll while the process lives."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


SMALL = ("--ways", "2", "3", "--shots", "1", "2", "--variants", "full", "zero-shot", "without-contrast",
         "--episodes", "6", "--queries", "5")  # fmt: skip
