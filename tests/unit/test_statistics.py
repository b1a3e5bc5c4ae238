"""Intervals against SciPy, by another route."""

import math

import numpy as np
import pytest
from scipy import stats

from mgcl.reporting.statistics import block_estimate, t_interval

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
