"""Stores that people move, share, tidy up and guard with a password."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mgcl.cli import main
from mgcl.errors import DeletedError, MgclError, TrackingError
from mgcl.masking import masked, scrubbed, without_user
from mgcl.search.study import check_storage
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from mgcl.tracking.artifacts import current
from mgcl.tracking.parent import Progress, last_progress, progress_of
from mgcl.tracking.record import Tracking, details, recorded_runs
from mgcl.tracking.store import where_to_look
from tests import cases

WRITTEN = Path(__file__).parents[3] / "shared" / "data" / "bb33c7b" / "store"


@pytest.fixture(scope="module")
def cells(bank):
    return plan(cases.sweep("s", ("zero-shot", "prototypical"), ways=(2,), shots=(1,), queries=5, episodes=2), bank)


@pytest.fixture(scope="module")
def original(tmp_path_factory, bank, cells) -> Path:
    """A home with one of two trials recorded."""
    folder = tmp_path_factory.mktemp("first") / "home"
    store = Tracking.open("s", uri(folder))
    store.record(cells[0], run_trial(cells[0].trial, bank), bank, {})
    store.tell(Progress([cell.trial.key for cell in cells], "here", 1.0, 2.0, (), ended=True))
    return folder


@pytest.fixture
def copy(original, tmp_path) -> Path:
    return shutil.copytree(original, tmp_path / "my sounds é" / "home")


def uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def mgcl(capsys, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_a_copied_home_is_read_and_written_where_it_is(original, copy, bank, cells, capsys) -> None:
    """Source: mlflow #3144, #8226."""
    before = files(original)
    code, output, _ = mgcl(capsys, "status", "s", "--tracking-uri", uri(copy))
    assert (code, "2 trials: 1 done, 0 failed, 0 running, 1 waiting" in output) == (0, True)
    store = Tracking.open("s", uri(copy))
    store.record(cells[1], run_trial(cells[1].trial, bank), bank, {})
    store.tell(Progress(["k"], "there", 3.0, 4.0, ()))
    assert files(original) == before
    assert len(details(store.runs(), uri(copy))) == 2
    assert last_progress("s", uri(original)).host == "here"
    assert last_progress("s", uri(copy)).host == "there"
    for run in store.client.search_runs([store.experiment_id]):
        assert run.info.artifact_uri.startswith((copy / "artifacts").as_uri())


def test_a_home_that_was_moved_needs_no_writing_to_be_read(copy) -> None:
    """Source: mlflow #3719."""
    moved = copy.rename(copy.with_name("renamed"))
    before = files(moved)
    assert len(details(recorded_runs("s", uri(moved)), uri(moved))) == 1
    assert last_progress("s", uri(moved)).host == "here"
    assert files(moved) == before


def test_addresses_that_are_not_ours_stay(tmp_path) -> None:
    """Source: mlflow #3144: a store behind a server, in a bucket, or in a folder that somebody chose."""
    here = uri(tmp_path)
    for address in ("s3://bucket/artifacts/r/artifacts", "mlflow-artifacts:/1/r/artifacts", "file:///x/1/r/artifacts"):
        assert current(address, here) == address
        assert current(address, "http://h:5000") == address
    chosen = tmp_path / "chosen" / "artifacts" / "r" / "artifacts"
    chosen.mkdir(parents=True)
    assert current(chosen.as_uri(), here, writing=True) == chosen.as_uri()


def test_the_same_place_by_a_link_is_not_moved(original, tmp_path) -> None:
    """Source: mlflow #8226."""
    (tmp_path / "link").symlink_to(original)
    (run,) = recorded_runs("s", uri(original))
    address = MlflowClient(uri(original)).get_run(run.run_id).info.artifact_uri
    assert current(address, uri(tmp_path / "link"), writing=True) == address


@pytest.mark.skipif(not WRITTEN.is_dir(), reason="a clone does not have it")
def test_a_store_that_an_earlier_version_wrote_is_read(tmp_path) -> None:
    """Source: mlflow #3144; its addresses are those of another machine."""
    shutil.copytree(WRITTEN, tmp_path / "home")
    runs = recorded_runs("full_grid", uri(tmp_path / "home"))
    assert runs
    assert len(details(runs[:3], uri(tmp_path / "home"))) == 3
    assert last_progress("full_grid", uri(tmp_path / "home")) is not None


@pytest.mark.parametrize(
    "words", [("status", "s"), ("report", "s"), ("sync",), ("sync", "s"), ("ui", "--no-browser")], ids=" ".join
)
def test_a_deleted_experiment_is_said_by_every_command(words, copy, capsys, tmp_path, monkeypatch) -> None:
    """Source: mlflow #2690, #6445."""
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "other"))
    monkeypatch.chdir(tmp_path)
    MlflowClient(uri(copy)).delete_experiment("1")
    arguments = ("sync", uri(copy), *words[1:]) if words[0] == "sync" else (*words, "--tracking-uri", uri(copy))
    code, _, errors = mgcl(capsys, *arguments)
    assert (code, "the experiment 's' was deleted; bring it back with `MLFLOW_TRACKING_URI=" in errors) == (2, True)


def test_its_advice_works_as_printed(copy, tmp_path) -> None:
    """Source: mlflow #6445."""
    MlflowClient(uri(copy)).delete_experiment("1")
    with pytest.raises(TrackingError) as refused:
        Tracking.open("s", uri(copy))
    command = re.search("`(.*)`", str(refused.value))[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "empty").mkdir()
    subprocess.run(["sh", "-c", command], env={**os.environ, "PATH": path}, cwd=tmp_path / "empty", check=True)
    assert list((tmp_path / "empty").iterdir()) == []
    assert len(recorded_runs("s", uri(copy))) == 1


def test_an_experiment_deleted_while_its_sweep_runs_is_said_at_once(copy, bank, cells) -> None:
    """Source: mlflow #2690."""
    store = Tracking.open("s", uri(copy))
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(DeletedError, match="was deleted; bring it back"):
        store.record(cells[1], run_trial(cells[1].trial, bank), bank, {})
    with pytest.raises(DeletedError, match="was deleted; bring it back"):
        store.tell(Progress([], "here", 1.0, 2.0, ()))


def test_a_deleted_parent_run_gives_way_to_a_new_one(copy, capsys, tmp_path) -> None:
    """Source: mlflow #878, #6606."""
    store = Tracking.open("s", uri(copy))
    store.client.delete_run(store.parent_id)
    code, output, _ = mgcl(capsys, "status", "s", "--tracking-uri", uri(copy))
    assert (code, "1 done" in output, "its parent run was deleted" in output) == (0, True, True)
    assert mgcl(capsys, "sync", uri(copy), "--check", "--tracking-uri", uri(tmp_path))[:2] == (
        1,
        "s: 1 trials are not synced yet\n",
    )
    again = Tracking.open("s", uri(copy))
    assert again.parent_id != store.parent_id
    assert (len(again.runs()), last_progress("s", uri(copy)).note) == (1, "")


def test_trials_alone_tell_how_far_a_sweep_is(original) -> None:
    """Source: mlflow #878: the parent's files are gone too."""
    assert progress_of(()) is None
    told = progress_of(recorded_runs("s", uri(original)))
    assert (len(told.keys), told.at_work, "parent run is gone" in told.note) == (1, False, True)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://u:secret@h:5000/x", "http://u:***@h:5000/x"),
        ("postgresql://u:se/cr@et@h/x", "postgresql://u:***@h/x"),
        ("postgresql+psycopg2://h/x?user=u&password=secret&n=1", "postgresql+psycopg2://h/x?user=u&password=***&n=1"),
        ("https://token@h/x.mlflow", "https://***@h/x.mlflow"),
        ("http://h:5000/x", "http://h:5000/x"),
        ("sqlite:////a/b@c/mlflow.db", "sqlite:////a/b@c/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown) -> None:
    """Source: mlflow #2282, #2832, zenml #2443."""
    assert masked(address) == shown
    assert shown in scrubbed(f"cannot reach {address} (refused)", address)


def test_no_message_holds_the_password(monkeypatch, capsys) -> None:
    """Source: mlflow #2282."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = "http://u:s%40cret@127.0.0.1:9/mlflow"
    code, output, errors = mgcl(capsys, "status", "s", "--tracking-uri", address)
    assert (code, "http://u:***@127.0.0.1:9/mlflow" in errors) == (2, True)
    shown = output + errors + where_to_look(address, "1") + where_to_look("postgresql://u:s%40cret@h/x", "1")
    assert "cret" not in shown
    assert scrubbed("user u, password s@cret", address) == "user u, password ***"
    assert without_user(address) == "http://127.0.0.1:9/mlflow"


def test_reading_makes_no_lock_and_needs_no_writing(copy, capsys, tmp_path, monkeypatch) -> None:
    """Source: filelock PR #96, spack PR #53021."""
    monkeypatch.chdir(tmp_path)
    (copy / "mlflow.db.lock").unlink(missing_ok=True)
    before = files(copy)
    for file in (copy / "mlflow.db", copy):
        file.chmod(0o555)
    try:
        assert mgcl(capsys, "status", "s", "--tracking-uri", uri(copy))[0] == 0
        assert mgcl(capsys, "sync", uri(copy), "--check", "--tracking-uri", uri(tmp_path))[0] == 1
        assert mgcl(capsys, "report", "s", "--tracking-uri", uri(copy))[0] == 0
    finally:
        copy.chmod(0o755)
    assert files(copy) == before


@pytest.mark.parametrize(
    "address",
    ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true", "sqlite:///file:x?mode=memory&uri=true"],
)
def test_a_store_in_memory_is_refused_at_the_start(address) -> None:
    """Source: FIELD's list, sqlite."""
    with pytest.raises(MgclError, match="in memory is lost when the command ends"):
        Tracking.open("s", address)
    with pytest.raises(MgclError, match="in memory is lost when the command ends"):
        check_storage(address)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no such file system")
def test_a_place_where_no_file_can_be_made_is_refused_at_once() -> None:
    """Source: FIELD's list, sqlite."""
    with pytest.raises(MgclError, match=r"/proc/mlflow.db: this database cannot be written"):
        Tracking.open("s", "sqlite:////proc/mlflow.db")
    with pytest.raises(MgclError, match=r"`study` /proc/x/studies.db: this database cannot be written"):
        check_storage("sqlite:////proc/x/studies.db")


def test_a_path_with_a_space_is_quoted_in_the_advice(copy) -> None:
    """Source: mlflow #6445."""
    MlflowClient(uri(copy)).delete_experiment("1")
    with pytest.raises(TrackingError) as refused:
        recorded_runs("s", uri(copy))
    words = shlex.split(re.search("`(.*)`", str(refused.value))[1])
    assert words[0] == f"MLFLOW_TRACKING_URI={uri(copy)}"
