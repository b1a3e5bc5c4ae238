"""Which rows are behind the best: against SciPy and pandas, on tables whose answer is known."""

import math

import numpy as np
import pytest
from scipy.stats import rankdata

from mgcl.reporting.blocks import Grid
from mgcl.reporting.ranks import blocks, ranking
from mgcl.reporting.ranks_figure import critical_difference
from mgcl.reporting.tables import build
from tests.cases import changed_run, changed_setting
from tests.unit.test_tables import RUN

ROWS = ("good", "fair", "poor", "same as good")
ACCURACY = {"good": 0.8, "fair": 0.79, "poor": 0.5, "same as good": 0.8}


def runs(folds: int = 5, rows=ROWS, banks=("a", "b")):
    """Two columns; each fold has four episodes, with the same luck for all rows."""
    luck = np.random.default_rng(0)
    found = []
    for bank in banks:
        for shot in (1, 5):
            for fold in range(folds):
                episodes = luck.normal(0, 0.05, size=4)
                own = {row: luck.normal(0, 0.02, size=4) for row in rows}
                own["same as good"] = own["good"]
                found += [
                    changed_run(
                        RUN,
                        key=f"{bank}-{row}-{shot}-{fold}",
                        setting=changed_setting(RUN.setting, bank=bank),
                        variants=(row,),
                        parameters={},
                        shot=shot,
                        fold=fold,
                        accuracies=tuple(ACCURACY[row] + episodes + own[row]),
                    )
                    for row in rows
                ]
    return found


@pytest.fixture(scope="module")
def found():
    return ranking(build(runs(), ROWS))


def test_ranks_are_those_of_the_means_over_columns(found) -> None:
    assert found.observed.shape == (10, 4), "a line per bank and fold"
    expected = np.mean([rankdata(-each) for each in found.observed.to_numpy()], axis=0)
    assert found.ranks.to_dict() == pytest.approx(dict(zip(found.observed.columns, expected, strict=True)))
    assert found.ranks["good"] == found.ranks["same as good"], "ties share their rank"
    first = found.observed.loc[0, "poor"]
    mean = [
        np.mean([np.mean(run.scores["accuracy"]) for run in runs() if run.key in (f"a-poor-{shot}-0",)])
        for shot in (1, 5)
    ]
    assert first == pytest.approx(np.mean(mean))


def test_the_critical_difference_is_demsars(found) -> None:
    # Demsar 2006, table 5a: q = 2.569 for four rows
    assert found.critical_difference == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 10)), rel=1e-3)


def test_only_what_is_significant_is_behind(found) -> None:
    assert found.behind["poor"] == found.columns == 4
    assert found.behind["good"] == found.behind["same as good"] == 0


def test_the_report_has_the_rows_by_rank_and_the_picture(found) -> None:
    _, grid, words = blocks(found)
    assert isinstance(grid, Grid)
    ((_, lines),) = grid.groups
    assert lines[-1].name == "poor"
    assert lines[-1].cells[1].text == "4 of 4"
    assert "over 10 folds of 2 banks" in words
    assert critical_difference(found).png.startswith(b"\x89PNG")


def test_few_observations_are_not_tested() -> None:
    few = ranking(build(runs(folds=1, banks=("a",)), ROWS))
    assert "The ranks are not tested" in blocks(few)[-1]
    assert critical_difference(few) is None


def test_rows_that_lack_a_column_are_named_and_left_out() -> None:
    kept = [run for run in runs() if not (run.variants == ("fair",) and run.column == (5, 5))]
    found = ranking(build(kept, ROWS))
    assert "fair" not in found.observed
    assert "Left out, because they lack a column: fair" in blocks(found)[-1]


def test_one_row_is_not_ranked() -> None:
    assert ranking(build(runs(rows=("good",)), ROWS)) is None
    assert blocks(None) == []
    assert critical_difference(None) is None
