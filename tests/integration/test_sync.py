"""Runs brought home from a real MLflow server: each once, as they were, whatever is stopped in between."""

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from filelock import FileLock
from mlflow import MlflowClient

from mgcl.cli import main
from mgcl.records import TrialFailure
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from mgcl.tracking.record import Tracking, recorded_runs
from mgcl.tracking.store import search
from tests import cases

SWEEP = cases.sweep("s", ("full", "zero-shot"), ways=(2,), shots=(1,), queries=5, episodes=3, seeds=tuple(range(6)))
FAILURE = TrialFailure("", "out of memory", "Traceback ...")


@dataclass(frozen=True)
class Home:
    """A user's folder, where the command runs."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'home' / 'mlflow.db'}"

    def sync(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["sync", *arguments])
        captured = self.capsys.readouterr()
        return left.value.code, captured.out, captured.err


@pytest.fixture
def at_home(tmp_path, empty_store, monkeypatch, capsys) -> Home:
    (tmp_path / "home").mkdir()
    shutil.copy(empty_store, tmp_path / "home" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    return Home(tmp_path, capsys)


@pytest.fixture(scope="module")
def cells(bank):
    return plan(SWEEP, bank)


@pytest.fixture(scope="module")
def server(tmp_path_factory, empty_store, bank, cells) -> Iterator[str]:
    """Holds the sweep: all its trials finished but one, which failed."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "mlflow.db")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: requests.get(f"http://127.0.0.1:{port}/health", timeout=60).ok)
        store = Tracking.open("s", f"http://127.0.0.1:{port}")
        for cell in cells[1:]:
            store.record(cell, run_trial(cell.trial, bank), bank, {"commit": "c"})
        store.record(cells[0], FAILURE, bank, {"commit": "c"})
        store.client.set_tag(store.parent_id, "machine", "big")
        yield store.uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def source(tmp_path, empty_store) -> Tracking:
    """An empty store in a file."""
    (tmp_path / "source").mkdir()
    shutil.copy(empty_store, tmp_path / "source" / "mlflow.db")
    return Tracking.open("s", f"sqlite:///{tmp_path / 'source' / 'mlflow.db'}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(condition) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            if condition():
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.02)
    raise TimeoutError


def report_bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def keys(uri: str) -> list[str]:
    """Of every complete run, not one a key."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("s")
    found = search(client, experiment.experiment_id, "tags.complete = '1'") if experiment else ()
    return sorted(run.data.tags["trial_key"] for run in found)


def everything(client: MlflowClient, run_id: str, folder: Path) -> tuple[object, ...]:
    """What a run holds besides its place."""
    run = client.get_run(run_id)
    tags = {name: value for name, value in run.data.tags.items() if name not in {"mlflow.parentRunId", "synced_from"}}
    values = [
        (each.key, each.step, each.value, each.timestamp)
        for name in sorted(run.data.metrics)
        for each in client.get_metric_history(run_id, name)
    ]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    client.download_artifacts(run_id, "", str(folder))
    info = run.info
    times = (info.start_time, info.end_time)
    return info.run_name, info.status, times, run.data.params, tags, sorted(values), report_bytes(folder)


def test_everything_comes_home_once(server, at_home, cells) -> None:
    code, output, _ = at_home.sync(server)
    assert (code, "s: 12 trials copied, reports/s/report.md" in output) == (0, True)
    assert keys(at_home.uri) == sorted(cell.trial.key for cell in cells)
    with pytest.raises(SystemExit) as left:
        main(["report", "s", "--tracking-uri", server, "--out", "from-source"])
    assert left.value.code == 0
    assert report_bytes(Path("reports/s")) == report_bytes(Path("from-source/s"))
    code, output, _ = at_home.sync(server, "s")
    assert (code, "s: 0 trials copied" in output, len(keys(at_home.uri))) == (0, True, 12)


def test_a_copy_is_the_run_that_it_was_and_no_password_is_written_down(server, at_home, tmp_path) -> None:
    at_home.sync(server.replace("//", "//me:secret@"))
    store = Tracking.open("s", at_home.uri)
    there = MlflowClient(tracking_uri=server)
    originals = {run.key: run.run_id for run in recorded_runs("s", server)}
    copies = store.runs()
    assert {run.status for run in copies} == {"FINISHED", "FAILED"}
    for copy in copies:
        original = everything(there, originals[copy.key], tmp_path / "artifacts")
        assert everything(store.client, copy.run_id, tmp_path / "artifacts") == original
        assert set(original[-1]) == {"trial.json" if copy.status == "FINISHED" else "traceback.txt"}
        tags = store.client.get_run(copy.run_id).data.tags
        row = store.client.get_run(tags["mlflow.parentRunId"])
        assert (row.info.run_name, row.data.tags["mlflow.parentRunId"]) == (copy.variants[0], store.parent_id)
        assert tags["synced_from"] == server
    assert store.client.get_run(store.parent_id).data.tags["machine"] == "big"


def test_killed_in_the_middle_it_goes_on(server, at_home, cells) -> None:
    sync = subprocess.Popen(
        [sys.executable, "-c", "from mgcl.cli import main; main()", "sync", server], stderr=subprocess.DEVNULL
    )
    wait_for(lambda: len(keys(at_home.uri)) >= 2)
    sync.send_signal(signal.SIGKILL)
    sync.wait()
    home_then = keys(at_home.uri)
    assert len(home_then) < len(cells)
    code, output, _ = at_home.sync(server)
    assert (code, f"s: {len(cells) - len(home_then)} trials copied" in output) == (0, True)
    assert keys(at_home.uri) == sorted(cell.trial.key for cell in cells)
    runs = MlflowClient(tracking_uri=at_home.uri).search_runs([Tracking.open("s", at_home.uri).experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED", "FAILED"}


def test_a_cut_off_copy_goes_at_once_and_a_drivers_unfinished_run_stays(source, at_home) -> None:
    store = Tracking.open("s", at_home.uri)
    begun = {"kind": "trial", "trial_key": "k", "complete": "0"}
    cut_off, under_way = (
        store.client.create_run(store.experiment_id, tags={**begun, **more}).info.run_id
        for more in ({"synced_from": "cluster.yaml"}, {})
    )
    assert at_home.sync(source.uri)[0] == 0
    stages = [store.client.get_run(run_id).info.lifecycle_stage for run_id in (cut_off, under_way)]
    assert stages == ["deleted", "active"]


def test_check_copies_nothing_and_says_what_is_missing(server, at_home) -> None:
    code, output, _ = at_home.sync(server, "--check")
    assert (code, output) == (1, "s: 12 trials are not synced yet\n")
    assert keys(at_home.uri) == []
    at_home.sync(server)
    assert at_home.sync(server, "--check")[:2] == (0, "s: all trials are synced\n")


def test_a_finished_run_joins_a_failed_one_at_home(source, at_home, bank, cells) -> None:
    Tracking.open("s", at_home.uri).record(cells[0], FAILURE, bank, {})
    source.record(cells[0], run_trial(cells[0].trial, bank), bank, {})
    assert at_home.sync(source.uri)[0] == 0
    (run,) = recorded_runs("s", at_home.uri)
    assert run.status == "FINISHED"
    assert keys(at_home.uri) == [cells[0].trial.key] * 2


def test_a_failed_run_does_not_join_a_finished_one(source, at_home, bank, cells) -> None:
    Tracking.open("s", at_home.uri).record(cells[0], run_trial(cells[0].trial, bank), bank, {})
    source.record(cells[0], FAILURE, bank, {})
    assert at_home.sync(source.uri)[0] == 0
    assert keys(at_home.uri) == [cells[0].trial.key]


def test_a_row_that_a_trial_got_later_comes_home(source, at_home, bank, cells) -> None:
    source.record(cells[0], run_trial(cells[0].trial, bank), bank, {})
    at_home.sync(source.uri)
    (run,) = source.runs()
    source.name_rows(
        run, dataclasses.replace(cells[0], variants=("explanations-8",), searched={"explanations-8": "full"})
    )
    assert at_home.sync(source.uri, "--check")[0] == 1
    assert at_home.sync(source.uri)[0] == 0
    (run,) = recorded_runs("s", at_home.uri)
    assert run.variants == (*cells[0].variants, "explanations-8")
    assert run.searched == {"explanations-8": "full"}


def test_a_run_without_its_artifacts_is_left_out_and_said(source, at_home, bank, cells) -> None:
    for cell in cells[:3]:
        source.record(cell, run_trial(cell.trial, bank), bank, {})
    broken = source.runs()[1]
    shutil.rmtree(at_home.folder / "source" / "artifacts" / broken.run_id)
    code, output, errors = at_home.sync(source.uri)
    assert (code, "2 trials copied" in output, "s: 1 trials are not synced yet" in output) == (1, True, True)
    assert f"run {broken.run_id} is left out" in errors
    assert broken.key not in keys(at_home.uri)


def test_two_syncs_do_not_mix(source, at_home) -> None:
    with FileLock(at_home.folder / "home" / "sync.lock"):
        code, _, errors = at_home.sync(source.uri)
    assert (code, "another `mgcl sync` is under way" in errors) == (2, True)


NOT_UP = """
cluster_name: mgcl-test-not-up
provider: {type: local, head_ip: 127.0.0.1, worker_ips: []}
auth: {ssh_user: nobody}
"""


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("http://127.0.0.1:9",), "http://127.0.0.1:9: the MLflow store does not answer"),
        (("sqlite:///none.db",), "sqlite:///none.db: there is no such file"),
        (("sqlite:///source/mlflow.db", "t"), "no sweep called 't' is recorded there, only s"),
        (("sqlite:///home/mlflow.db",), "sqlite:///home/mlflow.db: no sweep is recorded there"),
        (("not-up.yaml",), "the cluster's head is not reached (Head node of cluster (mgcl-test-not-up) not found!)"),
        (("none.yaml", "--check"), "none.yaml: the cluster's head is not reached ([Errno 2] No such file"),
    ],
    ids=["server", "file", "sweep", "empty", "cluster", "cluster file"],
)
def test_refusals_come_soon_and_in_one_line(arguments, message, at_home) -> None:
    Path("not-up.yaml").write_text(NOT_UP)
    started = time.monotonic()
    code, _, errors = at_home.sync(*arguments)
    assert time.monotonic() - started < 40
    assert (code, errors.count("\n"), message in errors) == (2, 1, True), errors
    assert not Path("none.db").exists()
