"""Ablations are compared at a glance on MLflow's page."""

import json

import pytest

from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from mgcl.tracking import rows as rows_of_tables
from mgcl.tracking.record import Tracking
from mgcl.tracking.store import ROWS, search
from tests import cases

SWEEP = cases.sweep("s", ("zero-shot", "prototypical"), ways=(2,), shots=(1, 2), queries=5, episodes=2)


@pytest.fixture
def store(tmp_path, bank) -> Tracking:
    store = Tracking.open("s", f"sqlite:///{tmp_path / 'mlflow.db'}")
    for cell in plan(SWEEP, bank):
        store.record(cell, run_trial(cell.trial, bank), bank, {})
    return store


def test_a_run_a_row_updated_in_place_and_no_trial(store) -> None:
    """Mlflow #3762, #2730: the page had runs and their means, not the table's rows."""
    trials = store.runs()
    rows_of_tables.write(store, trials)
    first = {run.info.run_id: run for run in search(store.client, store.experiment_id, ROWS)}
    rows_of_tables.write(store, trials)
    rows = sorted(search(store.client, store.experiment_id, ROWS), key=lambda run: run.data.tags["row"])
    assert {run.info.run_id for run in rows} == set(first)
    assert [run.info.run_name for run in rows] == ["prototypical", "zero-shot"]
    assert [run.data.tags["row"] for run in rows] == ["0001", "0002"]
    assert rows[0].data.metrics.keys() >= {"accuracy 2-way 1-shot", "trials 2-way 1-shot", "half-width 2-way 2-shot"}
    assert rows[0].data.params["episodes"] == "2"
    assert store.runs() == trials
    view = json.loads(store.client.get_experiment(store.experiment_id).tags["mlflow.sharedViewState.mgcl"])
    assert view["selectedColumns"] == ["metrics.`accuracy 2-way 1-shot`", "metrics.`accuracy 2-way 2-shot`"]
    children = search(store.client, store.experiment_id, f"tags.`mlflow.parentRunId` = '{rows[0].info.run_id}'")
    assert {run.data.tags["variant"] for run in children} == {"prototypical"}
    store.client.delete_run(rows[0].info.run_id)  # as in MLflow's page
    rows_of_tables.write(store, trials)
    (anew,) = [run for run in search(store.client, store.experiment_id, ROWS) if run.info.run_name == "prototypical"]
    assert (
        len(list(search(store.client, store.experiment_id, f"tags.`mlflow.parentRunId` = '{anew.info.run_id}'"))) == 2
    )
    left = [trial for trial in trials if trial.variants == ("zero-shot",)]
    rows_of_tables.write(store, left)
    assert [run.info.run_name for run in search(store.client, store.experiment_id, ROWS)] == ["zero-shot"]
