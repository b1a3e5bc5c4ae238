"""What goes wrong around a sweep: readers, a killed driver, a server or disk that is away, a bank that changes."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mgcl.features import FeatureBank
from mgcl.sweep.grid import plan
from mgcl.tracking import parent
from sweeps.full_grid import SWEEP
from tests import cases
from tests.conftest import SharedCluster
from tests.generated_bank import write_generated_bank
from tests.integration.conftest import ROOT, SLOW, Place, free_port, new_place, wait_until

READERS = """
import multiprocessing, sys, time
from pathlib import Path
from mgcl.tracking.record import recorded_runs

uri, stop = sys.argv[1], Path(sys.argv[2])

def read():
    while not stop.exists():
        recorded_runs("full_grid", uri)
        time.sleep(2)

readers = [multiprocessing.get_context("fork").Process(target=read) for _ in range(8)]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join()
print([reader.exitcode for reader in readers])
"""

# A driver that asks a store that is away every second.
IMPATIENT = """
from mgcl.sweep import main, recorder
from sweeps.full_grid import SWEEP
recorder._RETRY_SECONDS, recorder._LAST_RETRIES_SECONDS = 1, {at_the_end}
main(SWEEP)
"""


def keys(bank: FeatureBank) -> list[str]:
    variants = ("full", "audio-only", "zero-shot")
    sweep = cases.changed_sweep(SWEEP, ways=(3, 5), shots=(1, 3), variants=variants, episodes=8, queries=5)
    return [cell.trial.key for cell in plan(sweep, bank)]


def same(place: Place, reference: Place) -> bool:
    return place.runs() == reference.runs() and place.report_bytes() == reference.report_bytes()


def test_eight_readers_reports_and_a_killed_driver(
    place: Place, reference: Place, bank, monkeypatch, shared_cluster: SharedCluster
) -> None:
    def said_by_status() -> str:
        said = place.mgcl("status", "full_grid")
        assert said.returncode == 0
        return said.stdout

    stop = place.folder / "stop"
    command = [sys.executable, "-c", READERS, f"sqlite:///{place.store}", str(stop)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    readers = subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes)
    place.started.append(readers)  # which ends them, whatever comes
    driver = place.start(*SLOW, "--workers", "1", *shared_cluster.joined)
    wait_until(lambda: place.complete_runs() >= 2, driver)
    wait_until(lambda: len(shared_cluster.workers()) == 1, driver)
    (worker,) = shared_cluster.workers()

    def suspended_within_a_trial() -> bool:
        worker.suspend()
        wait_until(lambda: "1 running" in said_by_status(), driver)
        (given,) = re.findall(r"^running (\w+)  ", said_by_status(), re.MULTILINE)
        if (place.folder / "home" / "logs" / f"{given}.log").exists():
            return True
        worker.resume()  # it was given a trial, and had not begun it
        return False

    wait_until(suspended_within_a_trial, driver)
    during = said_by_status()
    assert re.search(r"12 trials: \d+ done, 0 failed, 1 running, \d+ waiting", during)
    assert "trials a minute, about 0:" in during
    (running,) = re.findall(r"^running (\w+)  .* on \S+ for 0:", during, re.MULTILINE)
    assert running in keys(bank)
    assert "started on" in (place.folder / "home" / "logs" / f"{running}.log").read_text()

    driver.kill()
    assert "Traceback" not in driver.communicate()[1]
    monkeypatch.setattr(parent, "_SILENT_SECONDS", 0)
    killed = said_by_status()
    assert "no word from its driver for 0:" in killed
    assert " 0 running, " in killed

    resumed = place.start(*SLOW, "--local")
    while resumed.poll() is None:
        assert place.mgcl("report", "full_grid", "--out", "meanwhile").returncode == 0
        time.sleep(8)  # a report draws for seconds, and the sweep needs a core too
    output, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert "12 finished, 0 failed, 0 missing" in output
    assert "does not answer" not in errors
    stop.touch()
    assert readers.communicate(timeout=60) == (f"{[0] * 8}\n", "")
    assert same(place, reference)
    ended = said_by_status()
    assert ended.startswith("full_grid: 12 trials: 12 done, 0 failed, 0 running, 0 waiting")


@contextmanager
def server(place: Place, port: int) -> Iterator[None]:
    """An MLflow server, up; at the end it is killed."""
    store, artifacts = f"sqlite:///{place.store}", str(place.folder / "served")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", artifacts]
    with (place.folder / "server.log").open("a") as log:
        process = psutil.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: "startup complete" in (place.folder / "server.log").read_text(), process)
        yield
    finally:
        for each in (process, *process.children(recursive=True)):
            each.kill()
        process.wait()
        (place.folder / "server.log").unlink()


def test_a_remote_store_that_is_killed_and_a_bank_on_shared_storage(
    place: Place, reference: Place, monkeypatch
) -> None:
    port = free_port()
    monkeypatch.setenv("MGCL_NODE_DIR", str(place.folder / "node"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    far = replace(place, bank=place.bank.as_uri())
    script = place.folder / "impatient.py"
    script.write_text(IMPATIENT.format(at_the_end=60))
    with server(place, port):
        sweep = far.start(*SLOW, "--workers", "2", "--tracking-uri", f"http://127.0.0.1:{port}", script=script)
        wait_until(lambda: place.complete_runs() >= 2, sweep)
    before = place.complete_runs()
    time.sleep(3)
    assert place.complete_runs() == before < 12
    with server(place, port):
        output, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, errors
    assert "12 finished, 0 failed, 0 missing" in output
    assert "results wait" in errors
    assert "Traceback" not in errors
    assert same(place, reference)
    assert len([each for each in (place.folder / "node" / "banks").iterdir() if each.is_dir()]) == 2, "copy and link"


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 32 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while file.write(bytes(4096)):
            pass
    return ballast


def test_a_full_disk_keeps_what_is_recorded(
    small_disk, reference: Place, empty_store, shared_cluster: SharedCluster
) -> None:
    place = new_place(small_disk, reference.bank, empty_store)
    script = small_disk / "impatient.py"
    script.write_text(IMPATIENT.format(at_the_end=1))
    sweep = place.start(*SLOW, "--workers", "2", *shared_cluster.joined, script=script)
    wait_until(lambda: place.complete_runs() >= 2, sweep)
    ballast = fill(small_disk)
    before = place.complete_runs()
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 2, errors
    said = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and "results are not recorded: start the sweep again" in said[0], errors
    assert "Traceback" not in errors, errors
    assert before <= place.complete_runs() < 12
    ballast.unlink()
    again = place.here(*SLOW, "--local")
    assert again.returncode == 0, again.stderr
    assert same(place, reference)


def test_a_bank_that_changes_after_the_plan_stops_the_sweep(place: Place, shared_cluster: SharedCluster) -> None:
    bank = place.folder / "bank"
    shutil.copytree(place.bank, bank)
    write_generated_bank(place.folder / "other", classes=6, clips=16, segments=5, d=24, seed=1)
    sweep = replace(place, bank=bank).start(*SLOW, "--workers", "1", *shared_cluster.joined)
    for line in sweep.stdout:
        if line.endswith("12 to run\n"):  # a worker takes seconds to start
            break
    bank.rename(place.folder / "before")
    (place.folder / "other").rename(bank)
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 2, errors
    assert re.search(
        r"^error: workers die before they take a trial: BankError: .*: changed since the sweep was planned; start the",
        errors,
        re.MULTILINE,
    )
    assert "Traceback" not in errors, errors
    assert place.query("SELECT status, count(*) FROM runs WHERE name != 'full_grid' GROUP BY status") == []
