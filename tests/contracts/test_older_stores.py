"""What earlier commits recorded is read: every trial counts as done, with the same numbers to the digit."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from mgcl.features import FeatureBank
from mgcl.methods.variants import FEW_SHOT
from mgcl.reporting.outline import Outline
from mgcl.reporting.report import write
from mgcl.sweep.driver import count
from mgcl.sweep.grid import plan
from mgcl.tracking.record import details, recorded_runs
from mgcl.tracking.runs import rows_tags, trial_result, trial_run
from tests import cases

OLDER = Path(__file__).with_name("older_runs.json")
"""Two runs of the commit bb33c7b, which knew no tasks: tags, parameters, metrics and the artifact, as they were."""
WRITTEN = Path(__file__).parents[3] / "shared" / "data" / "bb33c7b"


def test_a_run_of_before_there_were_tasks_is_read() -> None:
    full, zero_shot = json.loads(OLDER.read_text(encoding="utf-8"))
    for older in (full, zero_shot):
        run = trial_run("r", older["status"], 0.0, older["tags"], older["params"], older["metrics"])
        result = trial_result(json.dumps(older["trial_json"]))
        assert run.key == result.key == older["tags"]["trial_key"]
        assert run.scores == result.scores
        assert result.mean("accuracy") == pytest.approx(older["metrics"]["accuracy"], abs=1e-6)
        assert [each.correct for each in result.confusions] == [*map(int, older["tags"]["episode_correct"].split())]
        assert (run.setting.task, run.setting.protocol, run.pooled) == ("few_shot", 1, (0, 0))
        setting = {"folds": "all 10", "split": "clip", "queries": 10, "episodes": 3}
        assert dict(run.setting.drawn) == setting
    assert [run["tags"]["variant"] for run in (full, zero_shot)] == ["full", "zero-shot"]
    assert trial_result(json.dumps(full["trial_json"])).explained.plans


def test_rows_that_were_joined_by_commas_are_read() -> None:
    older, _ = json.loads(OLDER.read_text(encoding="utf-8"))
    tags = older["tags"] | {"variants": "full, full (searched ab12cd), explanations-8"}
    run = trial_run("r", older["status"], 0.0, tags, older["params"], older["metrics"])
    assert run.variants == ("full", "full (searched ab12cd)", "explanations-8")
    assert run.searched == {"full (searched ab12cd)": "full"}
    again = trial_run("r", older["status"], 0.0, tags | rows_tags(run.variants, run.searched), older["params"], {})
    assert (again.variants, again.searched) == (run.variants, run.searched)


@pytest.fixture
def store(tmp_path) -> str:
    """A copy of the whole store that the same commit wrote."""
    if not WRITTEN.is_dir():
        pytest.skip(f"{WRITTEN} is not here")
    shutil.copytree(WRITTEN / "store", tmp_path / "store", copy_function=shutil.copyfile)
    (tmp_path / "store").chmod(0o755)
    with sqlite3.connect(tmp_path / "store" / "mlflow.db") as connection:
        connection.execute(
            "UPDATE runs SET artifact_uri = replace(artifact_uri, 'file:///store/', ?)", (f"file://{tmp_path}/store/",)
        )
    return f"sqlite:///{tmp_path / 'store' / 'mlflow.db'}"


def test_every_trial_of_a_store_counts_as_done_and_its_table_is_the_same_to_the_digit(
    store, real_bank: FeatureBank, tmp_path
) -> None:
    runs = recorded_runs("full_grid", store)
    sweep = cases.sweep("full_grid", tuple(FEW_SHOT), ways=(5,), shots=(1, 5), episodes=3, queries=10)
    states = count(plan(sweep, real_bank), {run.key: run for run in runs})
    assert states["done"] == len(runs) == 49
    assert states["failed"] == 0
    assert len(details(runs, store)) == len(runs)
    folder = write("full_grid", runs, tmp_path, outline=Outline())
    for file in ("cells.csv", "differences.csv"):
        assert (folder / file).read_text() == (WRITTEN / "report" / file).read_text()
