"""Bad input: exit code 2, one line that says what to do, before any worker starts."""

import functools

import pytest
import ray
from mlflow import MlflowClient

from mgcl.sweep import main
from sweeps.full_grid import SWEEP
from tests.conftest import SharedCluster
from tests.integration.conftest import SMALL, Place

CASES = {
    "no bank": (("--bank", "nowhere"), "nowhere: no such feature bank; make one with `mgcl extract` or"),
    "variant": (
        ("--variants", "ful"),
        "no variant is called 'ful'; the nearest is 'full'; there are: full, mel-statistics, ",
    ),
    "way": (("--ways", "7"), "7-way needs 7 classes, but fold 0 has 6; lower --ways"),
    "shot": (("--shots", "12"), "class 'class_00' has 16 clips: 12-shot leaves 4 for 5 queries"),
    "split": (("--split", "speaker"), "--split speaker: choose clip or source"),
    "folds": (("--folds", "3"), "--folds and --fold-classes go together"),
    "workers": (("--workers", "0"), "0 actors at once (--workers): choose at least 1"),
    "gpus": (("--gpus-per-trial", "-1"), "a GPU share of -1.0: choose 0, a fraction, or whole GPUs"),
    "only": (("--only", "0123456789abcdef"), "--only 0123456789abcdef: no such trial in this sweep; --plan lists"),
    "fraction": (("--gpus-per-trial", "1.5"), "a GPU share of 1.5: choose 0, a fraction, or whole GPUs"),
    "report folder": (("--out", "no-database.txt"), "no-database.txt/full_grid cannot be written (Not a directory)"),
    "store folder": (("--tracking-uri", "sqlite:////proc/none/mlflow.db"), "this database cannot be written"),
    "store file": (("--tracking-uri", "sqlite:///no-database.txt"), "the MLflow store does not answer"),
    "store kind": (("--tracking-uri", "ftp://127.0.0.1/x"), "MLflow refuses: "),
    "store driver": (("--tracking-uri", "postgresql+psycopg2://h/runs"), "`pip install 'psycopg2-binary'`"),
    "store server": (("--tracking-uri", "http://127.0.0.1:9"), "the MLflow store does not answer"),
}


@pytest.fixture
def refused(place: Place, monkeypatch):
    """The command's one line of error: nothing may be recorded or started before it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def refused(*flags: str) -> str:
        said = place.here(*SMALL, *flags)
        assert said.returncode == 2
        assert said.stderr.startswith("error: ")
        assert said.stderr.count("\n") == 1
        assert place.complete_runs() == 0
        return said.stderr

    return refused


@pytest.mark.parametrize("case", CASES)
def test_it_is_one_line_and_exit_code_2(place: Place, refused, case: str) -> None:
    flags, message = CASES[case]
    (place.folder / "no-database.txt").write_text("text " * 100)
    assert message in refused(*flags)
    assert not ray.is_initialized()


def test_a_misspelt_row_is_refused_before_data_are_generated(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit) as left:
        main(SWEEP, ["--variants", "ful"])
    assert left.value.code == 2
    assert "the nearest is 'full'" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_a_deleted_experiment_says_how_to_restore_it(place: Place, refused) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{place.store}")
    client.delete_experiment(client.create_experiment("full_grid"))
    said = refused()
    assert "the experiment 'full_grid' was deleted" in said
    assert "mlflow experiments restore" in said


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nonsense", "auto"])
def test_no_cluster_at_the_address(place: Place, monkeypatch, address: str) -> None:
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", functools.cache(set))  # other tests' clusters
    monkeypatch.setenv("RAY_TMPDIR", str(place.folder))  # where Ray notes the newest one
    said = place.here(*SMALL, "--address", address)
    assert said.returncode == 2, said.stderr
    assert f"error: --address {address}: no Ray cluster answers" in said.stderr
    assert place.complete_runs() == 0
    assert not ray.is_initialized()


def test_a_bad_limit_is_refused_before_anything_runs(refused, monkeypatch) -> None:
    monkeypatch.setenv("MGCL_SIMILARITY_GB", "0")
    assert refused() == "error: MGCL_SIMILARITY_GB must be a positive number of gigabytes, got '0'\n"


def test_workers_that_cannot_keep_similarities_say_so_once(place: Place, shared_cluster: SharedCluster) -> None:
    (place.store.parent / "similarity").write_text("in the way")
    done = place.here(*SMALL, "--workers", "2", *shared_cluster.joined)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be written (Not a directory): similarities stay in memory") == 1
