"""Tests on paired differences, against SciPy and by hand."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mgcl.reporting import blocks, significance
from mgcl.reporting.significance import compare
from mgcl.reporting.statistics import RESAMPLES, bootstrap_interval, holm, sign_flip_p
from mgcl.reporting.tables import build
from tests.cases import changed_run
from tests.unit.test_tables import RUN, ZERO


def markdown(*given) -> str:
    return blocks.markdown(significance.blocks(*given))


RANDOM = np.random.default_rng(7)
FEW = [RANDOM.normal(0.3, 1, (4, 3)), RANDOM.normal(0.3, 1, (4, 3))]
MANY = [RANDOM.normal(0.1, 1, (60, 3)) for _ in range(5)]


def scipys_p(differences) -> float:
    permuted = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, vectorized=True, rng=3
    )
    return permuted.pvalue


def test_few_differences_have_the_exact_p_of_scipy() -> None:
    assert sign_flip_p(FEW) == pytest.approx([scipys_p(each) for each in np.concatenate(FEW).T], abs=1e-12)


def test_many_have_it_within_the_error_of_the_draws() -> None:
    expected = np.array([scipys_p(each) for each in np.concatenate(MANY).T])
    error = np.sqrt(2 * expected * (1 - expected) / RESAMPLES)
    assert np.all(np.abs(sign_flip_p(MANY) - expected) < 5 * error + 1e-3)


def test_p_is_near_the_t_tests_where_its_assumptions_hold() -> None:
    expected = stats.ttest_1samp(np.concatenate(MANY), 0.0).pvalue
    assert sign_flip_p(MANY) == pytest.approx(expected, abs=0.02)


def test_folds_weigh_alike_whatever_their_episodes() -> None:
    two, four = np.array([1.0, 1.0]), np.array([-0.25, 0.25, -0.25, 0.25])
    flipped = [
        np.mean([np.mean(two * signs[:2]), np.mean(four * signs[2:])]) for signs in itertools.product((1, -1), repeat=6)
    ]
    assert sign_flip_p([two[:, None], four[:, None]]) == [np.mean(np.abs(flipped) >= 0.5)]


def test_no_difference_is_p_1_and_ties_count() -> None:
    assert sign_flip_p([np.zeros((5, 1))]) == [1.0]
    assert sign_flip_p([np.array([[0.1], [0.1], [0.1]])]) == [0.25]  # 2 of 8, whatever the rounding
    assert sign_flip_p([np.ones((500, 1))]) == [1 / (RESAMPLES + 1)]


def test_the_bootstrap_of_one_fold_is_scipys() -> None:
    values = MANY[0][:, :1]
    expected = stats.bootstrap((values[:, 0],), np.mean, n_resamples=RESAMPLES, method="percentile", rng=3)
    low, high = bootstrap_interval([values])[:, 0]
    assert (low, high) == pytest.approx(expected.confidence_interval, abs=0.02)


def test_the_bootstrap_draws_folds_and_then_episodes() -> None:
    folds = [np.full((10, 1), value) for value in (0.0, 0.0, 0.0, 1.0)]  # nothing varies within a fold
    expected = stats.bootstrap(([0, 0, 0, 1],), np.mean, n_resamples=RESAMPLES, method="percentile", rng=3)
    assert tuple(bootstrap_interval(folds)[:, 0]) == tuple(expected.confidence_interval)
    within = [RANDOM.normal(each.mean(), 1, (10, 1)) for each in folds]
    assert np.ptp(bootstrap_interval(within)) > np.ptp(bootstrap_interval([each[:, :1] for each in folds]))


def test_holm_by_hand() -> None:
    assert holm([0.03, 0.01, 0.04]) == pytest.approx((0.06, 0.03, 0.06))
    assert holm([0.9, 0.5, 0.9]) == (1.0, 1.0, 1.0)
    assert holm([]) == ()


def rows(accuracies, fold: int) -> list:
    return [
        changed_run(RUN, key=f"{row}{fold}", fold=fold, variants=(row,), method=row, accuracies=each)
        for row, each in accuracies.items()
    ]


def test_a_comparison_is_with_full_on_the_same_episodes() -> None:
    first = rows({"full": (0.9, 0.8), "a": (0.8, 0.7), "b": (0.9, 0.9)}, 0)
    second = rows({"full": (0.7, 0.9), "a": (0.6, 0.7), "b": (0.5, 0.5)}, 1)
    (table,) = build([*first, *second])
    a, b = compare(table, "full")
    assert (a.row, a.ahead, a.blocks, a.units) == ("a", 2, 2, 4)
    assert (b.row, b.ahead) == ("b", 1)
    assert a.p == 2 / 16
    assert a.holm_p == min(1, 2 * a.p)
    assert a.low <= a.difference.mean <= a.high
    assert a.difference.mean == pytest.approx(0.125)
    assert "| a              | 0.2500 (2/2)   |" in markdown(table, (a, b))
    assert "All 2 of 2 is p = 0.5000 in a sign test" in markdown(table, (a, b))


def test_tables_that_are_compared_together_give_what_each_gives_alone(monkeypatch) -> None:
    one = rows({"full": (0.9, 0.8), "a": (0.8, 0.7), "b": (0.9, 0.9)}, 0)
    second = rows({"full": (0.7, 0.9), "a": (0.6, 0.7), "b": (0.5, 0.5)}, 1)
    other = [replace(run, setting=replace(run.setting, bank="c" * 64)) for run in second]
    tables = build([*one, *other])
    alone = [compare(table, "full") for table in tables]
    assert significance.compare_all(tables, "full") == alone
    monkeypatch.setattr(significance, "_TOGETHER", 3)  # the tables share a batch
    assert significance.compare_all(tables, "full") == alone
    p = significance.adjusted_p([(table, "full") for table in tables])
    assert p == [{(each.row, each.column): each.holm_p for each in of_table} for of_table in alone]


def test_a_row_that_lacks_a_fold_is_tested_on_the_others() -> None:
    first = rows({"full": (0.9, 0.8), "a": (0.8, 0.7), "b": (0.5, 0.5)}, 0)
    second = rows({"full": (0.7, 0.9), "a": (0.6, 0.7)}, 1)
    (table,) = build([*first, *second])
    a, b = compare(table, "full")
    assert (b.row, b.ahead, b.blocks, b.units, b.p) == ("b", 1, 1, 2, 0.5)
    assert (a.p, a.holm_p, b.holm_p) == (0.125, 0.25, 0.5)
    assert "| b              | 0.5000 (1/1)   |" in markdown(table, (a, b))


def test_the_text_says_what_p_is_conditional_on() -> None:
    (table,) = build([RUN, ZERO])
    text = markdown(table, compare(table, "full"))
    assert "conditional on these recordings and class subsets: episodes reuse clips" in text
    assert "In brackets" not in text  # one fold


def test_holm_counts_the_rows_of_a_column_that_can_be_paired() -> None:
    both = [RUN, ZERO, changed_run(ZERO, key="y", shot=5), changed_run(RUN, key="x", shot=5, variants=("full", "same"))]
    (table,) = build([*both, changed_run(ZERO, key="w", shot=5, variants=("other",), method="other")])
    adjusted = {(each.row, each.column): (each.p, each.holm_p) for each in compare(table, "full")}
    assert set(adjusted) == {("zero-shot", (5, 1)), ("zero-shot", (5, 5)), ("other", (5, 5))}
    assert adjusted["zero-shot", (5, 1)] == (0.25, 0.25)
    assert adjusted["zero-shot", (5, 5)] == (0.25, 0.5)


def test_nothing_to_compare_is_nothing() -> None:
    (table,) = build([ZERO])
    assert compare(table, "full") == ()
    assert markdown(table, ()) == ""
