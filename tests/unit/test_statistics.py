"""Intervals against SciPy, by another route."""

import math

import numpy as np
import pytest
from scipy import stats

from mgcl.reporting.statistics import block_estimate, bootstrap_interval, sign_flip_p, swap_p, t_interval

VALUES = [0.91, 0.87, 0.93, 0.90, 0.88]


def test_a_t_interval_is_scipys() -> None:
    low, high = stats.t.interval(0.95, len(VALUES) - 1, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    estimate = t_interval(VALUES)
    assert estimate.mean == pytest.approx(np.mean(VALUES))
    assert estimate.half_width == pytest.approx((high - low) / 2)


def test_one_number_has_no_interval() -> None:
    assert math.isnan(t_interval([0.5]).half_width)


def test_equal_numbers_have_an_empty_one() -> None:
    assert t_interval([0.7, 0.7, 0.7]).half_width == 0.0


def test_folds_weigh_alike_and_carry_the_interval() -> None:
    folds = {0: [0.8, 0.9], 1: [0.7] * 10, 2: [1.0]}
    assert block_estimate(folds) == t_interval([0.85, 0.7, 1.0])


def test_one_fold_is_judged_over_its_episodes() -> None:
    assert block_estimate({3: VALUES}) == t_interval(VALUES)


RANDOM = np.random.default_rng(11)
COUNTS = RANDOM.integers(0, 4, (40, 2)).astype(float)
OTHER = RANDOM.integers(0, 5, (40, 2)).astype(float)


def ratio(means):
    return means[..., 0] / np.maximum(means.sum(-1), 1e-12)


def difference(means):
    return ratio(means[..., :2]) - ratio(means[..., 2:])


def first(means):
    return means[..., 0] - means[..., 1]


def test_a_ratio_of_sums_is_over_all_units_and_its_interval_is_scipys() -> None:
    estimate = block_estimate({0: [tuple(each) for each in COUNTS]}, "bootstrap", ratio)
    assert estimate.mean == pytest.approx(COUNTS[:, 0].sum() / COUNTS.sum())
    found = stats.bootstrap(
        tuple(COUNTS.T), lambda a, b: a.sum() / (a + b).sum(), paired=True, vectorized=False, method="percentile", rng=1
    )
    low, high = found.confidence_interval
    assert estimate.half_width == pytest.approx((high - low) / 2, rel=0.05)


def test_over_blocks_the_blocks_ratios_are_averaged() -> None:
    blocks = {0: [(1.0, 1.0), (1.0, 0.0)], 1: [(0.0, 4.0), (1.0, 0.0)]}
    assert block_estimate(blocks, "bootstrap", ratio) == t_interval([2 / 3, 1 / 5])


def test_one_unit_of_a_ratio_has_no_interval() -> None:
    estimate = block_estimate({0: [(1.0, 3.0)]}, "bootstrap", ratio)
    assert (estimate.mean, math.isnan(estimate.half_width)) == (0.25, True)


@pytest.mark.parametrize("units", [9, 40])
def test_of_means_a_swap_is_a_sign_flip(units) -> None:
    one, other = RANDOM.normal(0.4, 1, (2, 3, units, 2))
    pairs = [np.stack([a, b], axis=-1) for a, b in zip(one, other, strict=True)]
    assert swap_p(pairs, first) == pytest.approx(sign_flip_p(one - other), abs=1e-12)


def test_a_swap_of_ratios_by_hand() -> None:
    pairs = np.concatenate([COUNTS, OTHER], axis=1)[:6]
    observed = abs(ratio(pairs[:, :2].mean(0)) - ratio(pairs[:, 2:].mean(0)))
    found = []
    for pattern in range(2**6):
        swapped = np.array([np.roll(row, 2) if pattern >> place & 1 else row for place, row in enumerate(pairs)])
        found.append(abs(ratio(swapped[:, :2].mean(0)) - ratio(swapped[:, 2:].mean(0))) >= observed - 1e-9)
    assert swap_p([pairs[:, None]], difference) == pytest.approx([np.mean(found)])


def test_blocks_of_ratios_are_drawn_again() -> None:
    blocks = [np.tile([[a, b]], (10, 1))[:, None] for a, b in ((1.0, 1.0), (1.0, 0.0), (1.0, 3.0))]
    expected = bootstrap_interval([ratio(each) for each in blocks])  # nothing varies within a block
    assert bootstrap_interval(blocks, ratio) == pytest.approx(expected)
