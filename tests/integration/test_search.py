"""Searches as a user starts them: killed and gone on with, and handed to the grid."""

import csv
import json
import os
import signal
import sqlite3

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from mgcl.features import FeatureBank
from mgcl.search import comparison, main
from mgcl.search.questions import questions
from mgcl.search.study import figure_of
from mgcl.sweep.chosen import read_chosen
from mgcl.sweep.trial import run_trial, similarity_store
from sweeps import samplers, search
from tests import cases
from tests.conftest import SharedCluster
from tests.integration.conftest import ROOT, Place, Said, wait_until

SCRIPT = ROOT / "sweeps" / "search.py"
SEARCH = cases.search("search", ways=(3,), shots=(2,), queries=5, episodes=2, batches=4)
FLAGS = ("--ways", "3", "--shots", "2", "--queries", "5", "--episodes", "2", "--batches", "4")
POINTS = 10


def points(place: Place) -> list[FrozenTrial]:
    """Of the only study."""
    storage = f"sqlite:///{place.folder / 'home' / 'studies.db'}"
    return optuna.load_study(study_name=None, storage=storage).get_trials()


def whole(place: Place) -> int:
    """Points with a value; without Optuna, which would make the tables that the search is about to make."""
    database = place.folder / "home" / "studies.db"
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def told(place: Place) -> list[tuple[TrialState, dict[str, float], float | None, dict[int, float]]]:
    return [
        (each.state, each.params, each.value, each.intermediate_values)
        for each in points(place)
        if each.state != TrialState.FAIL
    ]


def run(place: Place, *flags: str) -> Said:
    return place.here(*FLAGS, *flags, asked=search.SEARCH, main=main)


def test_a_search_that_is_killed_ends_as_if_it_had_not_been(
    place: Place, another_place: Place, shared_cluster: SharedCluster
) -> None:
    flags = ("--points", str(POINTS), "--workers", "1", *shared_cluster.joined)
    done = run(another_place, *flags)
    assert done.returncode == 0, done.stderr
    undisturbed = told(another_place)
    assert len(undisturbed) == POINTS
    assert {state for state, *_ in undisturbed} == {TrialState.COMPLETE, TrialState.PRUNED}

    process = place.start(*FLAGS, *flags, script=SCRIPT)
    wait_until(lambda: whole(place) >= 3, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = run(place, *flags)
    assert done.returncode == 0, done.stderr
    assert told(place) == undisturbed

    folder = place.folder / "reports" / "search" / "generated-drawn-full"
    other = another_place.folder / "reports" / "search" / "generated-drawn-full"
    assert (folder / "params.json").read_bytes() == (other / "params.json").read_bytes()
    runs = place.query(
        "SELECT r.status FROM runs r JOIN tags t ON r.run_uuid = t.run_uuid "
        "WHERE t.value = 'point' AND r.lifecycle_stage = 'active'"
    )
    assert [status for (status,) in runs] == ["FINISHED"] * POINTS

    done = run(place, "--points", "+2", "--workers", "1", *shared_cluster.joined)
    assert done.returncode == 0, done.stderr
    assert told(place)[:POINTS] == undisturbed
    assert len(told(place)) == POINTS + 2


def test_a_point_is_what_the_grid_says_and_the_report_has_both(place: Place, shared_cluster: SharedCluster) -> None:
    bank = FeatureBank.open(place.bank)
    done = run(place, "--points", "8", "--workers", "2", *shared_cluster.joined)
    assert done.returncode == 0, done.stderr
    (question,) = questions(SEARCH, bank)
    with_value = [each for each in points(place) if each.state == TrialState.COMPLETE]
    found = max(with_value, key=figure_of)
    kept = similarity_store(bank, root=place.folder / "similarity")
    results = [
        run_trial(trial, bank, similarities=kept).mean("accuracy")
        for batch in question.at(found.params)
        for trial in batch
    ]
    assert figure_of(found) == pytest.approx(np.mean(results), abs=1e-12)

    folder = place.folder / "reports" / "search" / "generated-drawn-full"
    written = json.loads((folder / "params.json").read_text())
    assert written["choices"][0]["values"] == found.params
    page = (folder / "report.md").read_text()
    assert f"{100 * figure_of(found):.2f}" in page
    for picture in ("history", "slices"):
        assert f"({next(folder.glob(f'*{picture}.png')).name})" in page

    flags = ("--params", str(folder / "params.json"), "--ways", "3", "--shots", "2", "--variants", "full", "--local")
    done = place.here(*flags, "--episodes", "4", "--queries", "5")
    assert done.returncode == 0, done.stderr
    with (place.report / "cells.csv").open() as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    searched = f"full (searched {read_chosen(folder / 'params.json', bank.digest, 'few_shot').name})"
    assert set(rows) == {"full", searched}
    assert f"- {searched} against its own values, 3-way 2-shot: " in (place.report / "report.md").read_text()
    again = place.here(*flags, "--episodes", "4", "--queries", "5")
    assert "nothing to run, all 2 trials are recorded" in again.stdout


def test_a_search_that_always_fails_stops_and_says_why(place: Place, shared_cluster: SharedCluster) -> None:
    flags = ("--search", "learning_rate", "--range", "learning_rate", "1e30", "1e37", "--workers", "1")
    done = run(place, *flags, *shared_cluster.joined)
    assert done.returncode == 2
    assert "the first 5 points failed alike, so the rest was not run: FloatingPointError" in done.stderr
    assert len(told(place)) == 5


def test_samplers_are_compared(place: Place, shared_cluster: SharedCluster) -> None:
    flags = ("--ways", "3", "--shots", "2", "--queries", "5", "--episodes", "2", "--workers", "1")
    small = ("--design", "16", "--points", "6", "--seeds", "2")
    done = place.here(*flags, *small, *shared_cluster.joined, asked=samplers.SEARCH, main=comparison.main)
    assert done.returncode == 0, done.stderr
    folder = place.folder / "reports" / "samplers" / "generated-drawn"
    page = (folder / "report.md").read_text()
    assert "16 points of a scrambled Sobol' sequence (seed 0), each judged on 1 batch of validation episodes" in page
    for sampler in ("tpe", "random"):
        assert f"- {sampler}: " in page
    assert (folder / "samplers.png").stat().st_size > 5000
