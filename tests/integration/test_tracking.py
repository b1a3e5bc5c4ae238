"""The record: a run counts when it is complete, one run a key, stale ones go, a report reads without writing."""

import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mgcl.errors import SweepError, TrackingError
from mgcl.progress import Bar
from mgcl.records import Convergence, TrialFailure
from mgcl.reporting.report import write
from mgcl.sweep import recorder as recorders
from mgcl.sweep.estimates import Pace
from mgcl.sweep.grid import plan
from mgcl.sweep.recorder import Recorder
from mgcl.sweep.trial import run_trial
from mgcl.tracking import record as tracking
from mgcl.tracking import rows
from mgcl.tracking.record import Tracking, details, recorded_runs
from tests import cases

SWEEP = cases.sweep("s", ("full", "zero-shot"), ways=(2,), shots=(1,), queries=5, episodes=3)


@pytest.fixture
def uri(tmp_path, empty_store) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def cells(bank):
    return plan(SWEEP, bank)


def record_all(store: Tracking, cells, bank) -> None:
    for cell in cells:
        store.record(cell, run_trial(cell.trial, bank), bank, {"commit": "c"})


def test_what_was_recorded_comes_back(uri, cells, bank) -> None:
    store = Tracking.open("s", uri)
    record_all(store, cells, bank)
    runs = {run.key: run for run in recorded_runs("s", uri)}
    for cell in cells:
        run, result = runs[cell.trial.key], run_trial(cell.trial, bank)
        assert run.scores["accuracy"] == result.scores["accuracy"]
        assert run.parameters == {name: str(value) for name, value in cell.trial.parameters.items()}
        assert (run.variants, run.column, run.status) == (cell.variants, (2, 1), "FINISHED")
        assert (run.setting.dataset, dict(run.setting.drawn)["folds"], run.setting.backbone) == (
            "generated",
            "all 6",
            "drawn",
        )


def test_a_database_is_read_and_its_trials_are_adopted_in_bulk_as_a_server_would_do_it(
    uri, cells, bank, monkeypatch
) -> None:
    store = Tracking.open("s", uri)
    record_all(store, cells, bank)
    store.record(cells[0], TrialFailure(cells[0].trial.key, "no", "Traceback ..."), bank, {})
    deleted = store.client.create_run(store.experiment_id, 0, {"kind": "trial", "complete": "1"}).info.run_id
    store.client.delete_run(deleted)
    runs = store.runs()
    found = details(runs, uri)

    def adopted() -> dict[str, str]:
        rows.write(store, runs)
        of = {run.run_id: store.client.get_run(run.run_id).data.tags["mlflow.parentRunId"] for run in runs}
        names = {run_id: store.client.get_run(row).info.run_name for run_id, row in of.items()}
        for run_id in of:
            store.client.set_tag(run_id, "mlflow.parentRunId", store.parent_id)
        return names

    in_bulk = adopted()
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:  # else sorting by a metric is quadratic
        assert ("latest_metrics",) in database.execute("SELECT tbl FROM sqlite_stat1").fetchall()
    assert set(in_bulk.values()) == {"full", "zero-shot"}
    for module in (tracking, rows):
        monkeypatch.setattr(module, "is_database", lambda _: False)
    assert (store.runs(), details(runs, uri), adopted()) == (runs, found, in_bulk)
    assert len(found) == len(cells)


def test_a_runs_duration_is_its_trials_and_a_trial_that_took_long_is_not_lost(uri, cells, bank, monkeypatch) -> None:
    store, other = (Tracking.open("s", uri) for _ in range(2))
    result = replace(run_trial(cells[0].trial, bank), seconds=3600.0)
    store.record(cells[0], result, bank, {})
    (run,) = store.runs()
    info = store.client.get_run(run.run_id).info
    assert info.end_time - info.start_time == pytest.approx(3600e3, rel=0.1)

    def tidied_up(*_) -> None:
        other.delete_interrupted()

    monkeypatch.setattr(tracking, "write_artifact", tidied_up)
    with pytest.raises(TrackingError, match="must be in the 'active' state"):  # and it is recorded again
        store.record(cells[1], replace(result, key=cells[1].trial.key), bank, {})
    assert store.runs() == (run,)


def test_a_sweep_has_one_parent_run_that_is_finished(uri) -> None:
    first, second = (Tracking.open("s", uri) for _ in range(2))
    assert first.parent_id == second.parent_id
    assert first.client.get_run(first.parent_id).info.status == "FINISHED"


def test_a_finished_run_outranks_a_failed_one(uri, cells, bank) -> None:
    store = Tracking.open("s", uri)
    store.record(cells[0], TrialFailure(cells[0].trial.key, "out of memory", "Traceback ..."), bank, {})
    (failed,) = store.runs()
    assert (failed.status, failed.error, failed.scores) == ("FAILED", "out of memory", {})
    record_all(store, cells[:1], bank)
    (finished,) = store.runs()
    assert finished.status == "FINISHED"


def test_two_drivers_may_record_a_trial_twice_and_it_counts_once(uri, cells, bank, tmp_path) -> None:
    store = Tracking.open("s", uri)
    record_all(store, cells, bank)
    before = write("s", store.runs(), tmp_path / "before")
    record_all(Tracking.open("s", uri), cells, bank)
    after = write("s", store.runs(), tmp_path / "after")
    assert (after / "cells.csv").read_bytes() == (before / "cells.csv").read_bytes()


def test_an_incomplete_run_does_not_count_and_goes_when_it_is_old_or_its_trial_is_done(uri, cells, bank) -> None:
    store = Tracking.open("s", uri)
    record_all(store, cells[:1], bank)
    now = int(time.time() * 1000)

    def begin(start: int, key: str) -> str:
        tags = {"kind": "trial", "trial_key": key, "complete": "0"}
        return store.client.create_run(store.experiment_id, start, tags=tags).info.run_id

    young, old, done = begin(now, "k"), begin(now - 11 * 60 * 1000, "k"), begin(now, cells[0].trial.key)
    assert len(store.runs()) == 1
    Tracking.open("s", uri)
    stages = [store.client.get_run(run_id).info.lifecycle_stage for run_id in (young, old, done)]
    assert stages == ["active", "deleted", "deleted"]
    assert len(store.runs()) == 1


def test_reading_a_store_that_is_not_there_makes_none(tmp_path) -> None:
    assert recorded_runs("s", f"sqlite:///{tmp_path / 'none.db'}") == ()
    assert list(tmp_path.iterdir()) == []


def test_reading_a_sweep_that_never_ran_makes_no_experiment(uri) -> None:
    assert recorded_runs("never", uri) == ()
    assert MlflowClient(tracking_uri=uri).get_experiment_by_name("never") is None


class Outage:
    """A store that fails in the middle of a run, for so many runs."""

    def __init__(self, monkeypatch, runs: float) -> None:
        self.left, original = runs, MlflowClient.log_batch

        def log_batch(*arguments, **named) -> None:
            if self.left > 0:
                self.left -= 1
                raise MlflowException("no answer")
            original(*arguments, **named)

        monkeypatch.setattr(MlflowClient, "log_batch", log_batch)


def test_a_store_that_is_briefly_away_costs_nothing_and_leaves_no_run_open(uri, cells, bank, monkeypatch) -> None:
    store = Tracking.open("s", uri)
    recorder = Recorder(cells, store, [bank], Bar(disable=True), Pace((), (), set()))
    Outage(monkeypatch, runs=2)
    monkeypatch.setattr(recorders, "_RETRY_SECONDS", 0.1)
    for cell in cells:
        recorder.receive(run_trial(cell.trial, bank))
    recorder.close()
    assert {run.key for run in store.runs()} == {cell.trial.key for cell in cells}
    assert [run.info.status for run in store.client.search_runs([store.experiment_id])] == ["FINISHED"] * 3


def test_a_store_that_stays_away_is_an_error_that_counts_what_is_lost(uri, cells, bank, monkeypatch, capsys) -> None:
    store = Tracking.open("s", uri)
    recorder = Recorder(cells, store, [bank], Bar(disable=True), Pace((), (), set()))
    Outage(monkeypatch, runs=float("inf"))
    monkeypatch.setattr(recorders, "_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(recorders, "_LAST_RETRIES_SECONDS", 0.3)
    recorder.receive(run_trial(cells[0].trial, bank))
    assert "1 results wait" in capsys.readouterr().err
    with pytest.raises(TrackingError, match=r"no answer.*; 1 results are not recorded: start the sweep again"):
        recorder.close()
    assert store.runs() == ()


def failure(key: str, error: str, line: int) -> TrialFailure:
    return TrialFailure(key, error, f'Traceback ...\n  File "trial.py", line {line}, in run\n    run()\n{error}\n')


def test_the_first_trials_that_fail_alike_stop_the_sweep_with_their_cause(uri, bank) -> None:
    cells = plan(cases.changed_sweep(SWEEP, seeds=(0, 1, 2)), bank)
    store = Tracking.open("s", uri)
    recorder = Recorder(cells, store, [bank], Bar(disable=True), Pace((), (), set()))
    for epoch, cell in enumerate(cells[:4]):
        recorder.receive(failure(cell.trial.key, f"FloatingPointError: loss is nan in epoch {epoch}", line=7))
    with pytest.raises(SweepError, match=r"first 5 trials failed alike.*: FloatingPointError: loss is nan in epoch 9"):
        recorder.receive(failure(cells[4].trial.key, "FloatingPointError: loss is nan in epoch 9", line=7))
    assert [run.status for run in store.runs()] == ["FAILED"] * 5


@pytest.mark.parametrize("last", [("ValueError: no", 7), ("FloatingPointError: loss is nan", 8)])
def test_failures_that_differ_stop_nothing(uri, bank, last) -> None:
    cells = plan(cases.changed_sweep(SWEEP, seeds=(0, 1, 2)), bank)
    recorder = Recorder(cells, Tracking.open("s", uri), [bank], Bar(disable=True), Pace((), (), set()))
    for cell in cells[:4]:
        recorder.receive(failure(cell.trial.key, "FloatingPointError: loss is nan", line=7))
    for cell in cells[4:]:
        recorder.receive(failure(cell.trial.key, *last))


def test_unconverged_problems_are_warned_about_once(uri, cells, bank, capsys) -> None:
    recorder = Recorder(cells, Tracking.open("s", uri), [bank], Bar(disable=True), Pace((), (), set()))
    for cell in cells:
        recorder.receive(replace(run_trial(cell.trial, bank), convergence=Convergence(2000, 3)))
    said = capsys.readouterr().err
    assert said.count("3 of 2,000 transport problems missed their tolerance") == 1
    assert cells[0].trial.key in said
