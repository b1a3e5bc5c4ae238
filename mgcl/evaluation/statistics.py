"""Means with intervals. The arithmetic is SciPy's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_1samp


@dataclass(frozen=True)
class Estimate:
    """A mean with the half-width of its 95 % t interval; NaN where one number has none."""

    mean: float
    half_width: float


def t_interval(values: Sequence[float]) -> Estimate:
    """Mean and 95 % t interval of independent numbers.

    >>> t_interval([0.5, 0.75, 1.0])
    Estimate(mean=0.75, half_width=0.62103...)
    """
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean, math.nan)
    if max(values) == min(values):
        return Estimate(mean, 0.0)
    interval = ttest_1samp(np.asarray(values), 0.0).confidence_interval(0.95)
    return Estimate(mean, float(interval.high - interval.low) / 2)


def accuracy_estimate(episodes: Mapping[int, Sequence[float]]) -> Estimate:
    """Accuracy over folds: each fold's mean over its episodes, all seeds pooled, then the mean over folds.

    Args:
        episodes: fold index -> accuracies of its episodes.

    Returns:
        With two or more folds the interval is over fold means; with one it is over its episodes, and covers the
        draw of episodes only.
    """
    if len(episodes) == 1:
        (accuracies,) = episodes.values()
        return t_interval(accuracies)
    return t_interval([math.fsum(each) / len(each) for each in episodes.values()])
