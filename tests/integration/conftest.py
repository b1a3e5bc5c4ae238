"""Sweeps as a user starts them: the real command, in another process, on real Ray and a real MLflow store."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Place:
    """A user's folder: a store, a report, a bank."""

    folder: Path
    bank: Path

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
        return subprocess.Popen(
            self.command(*flags, **options),
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *flags: str, **options) -> subprocess.CompletedProcess[str]:
        process = self.start(*flags, **options)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(flags, process.returncode, output, errors)

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


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """A migrated store, copied into each place: making one takes MLflow seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def place(tmp_path, bank, empty_store) -> Place:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mlflow.db").write_bytes(empty_store.read_bytes())
    return Place(tmp_path, bank.path)


@pytest.fixture
def another_place(place, empty_store) -> Place:
    folder = place.folder / "another"
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "mlflow.db").write_bytes(empty_store.read_bytes())
    return Place(folder, place.bank)


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 120) -> None:
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


Flags = Sequence[str]
SMALL = ("--ways", "2", "3", "--shots", "1", "2", "--variants", "full", "zero-shot", "without-contrast",
         "--episodes", "6", "--queries", "5")  # fmt: skip
