"""Means with intervals, and tests of paired differences. The arithmetic is SciPy's where SciPy has it."""

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

Floats = NDArray[np.float64]
RESAMPLES = 9_999
"""Of a sign-flip test with too many differences for all their signs, and of a bootstrap."""
_BATCH = 1_111
_EXACT = 13
"""Differences whose sign patterns are fewer than ``RESAMPLES``: all of them are tried."""
_TIE = 1e-9
"""Accuracies are counts over queries: statistics that are closer than this are equal, and their digits rounding."""


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


def block_estimate(blocks: Mapping[Hashable, Sequence[float]], interval: Literal["t", "bootstrap"] = "t") -> Estimate:
    """Mean over blocks: each block's mean over its units (few-shot: a fold's episodes, all seeds pooled), then theirs.

    Args:
        blocks: block -> scores of its units.
        interval: of a single block, "t" or "bootstrap" over its units.

    Returns:
        With two or more blocks the interval is a t interval over block means; with one it is over its units, and
        covers the draw of units only.
    """
    if len(blocks) > 1:
        return t_interval([math.fsum(each) / len(each) for each in blocks.values()])
    (scores,) = blocks.values()
    if interval == "t" or len(scores) < 2:
        return t_interval(scores)
    low, high = bootstrap_interval([np.array(scores)[:, None]])
    return Estimate(math.fsum(scores) / len(scores), float(high[0] - low[0]) / 2)


def sign_flip_p(folds: Sequence[Floats]) -> Floats:
    """Two-sided p of a paired permutation test: had the signs of the differences been drawn, how often as large a mean.

    The statistic is the mean over folds of the mean difference of their episodes; each episode's sign is flipped by
    itself. It is ``scipy.stats.permutation_test`` of one sample, of many comparisons at once.

    Args:
        folds: paired differences of each fold, shape (its episodes, comparisons).

    Returns:
        Shape (comparisons,); exact for up to 13 episodes, else of 9,999 seeded draws, 0.0001 at least.
    """
    weighted = np.concatenate([fold / (len(fold) * len(folds)) for fold in folds])
    observed = np.abs(weighted.sum(axis=0)) - _TIE
    if len(weighted) <= _EXACT:
        every = np.array(list(itertools.product((1.0, -1.0), repeat=len(weighted))))
        return np.asarray((np.abs(every @ weighted) >= observed).mean(axis=0))
    as_large = sum((np.abs(signs @ weighted) >= observed).sum(axis=0) for signs in _drawn_signs(len(weighted)))
    return np.asarray((as_large + 1) / (RESAMPLES + 1))


def _drawn_signs(count: int) -> Iterator[Floats]:
    generator = np.random.default_rng(0)
    for _ in range(RESAMPLES // _BATCH):
        yield 2.0 * generator.integers(2, size=(_BATCH, count), dtype=np.int8) - 1.0


def bootstrap_interval(folds: Sequence[Floats]) -> Floats:
    """95 % percentile interval of the mean over folds: folds are drawn again, and in each its episodes.

    SciPy's bootstrap knows no levels. How often an episode is drawn is multinomial, given how often its fold is.

    Args:
        folds: of each fold its episodes' values, shape (episodes, comparisons).

    Returns:
        Low and high, shape (2, comparisons).
    """
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(len(folds), _uniform(len(folds)), size=RESAMPLES)
    means = sum(
        _resampled(generator, fold, times) / (len(fold) * len(folds))
        for fold, times in zip(folds, drawn.T, strict=True)
    )
    return np.asarray(np.quantile(means, (0.025, 0.975), axis=0))


def _resampled(generator: np.random.Generator, fold: Floats, times: NDArray[np.int64]) -> Floats:
    """Sums of a fold's values, each drawn as often as its fold was times its units, shape (resamples, comparisons)."""
    batches = np.split(times, range(_BATCH, len(times), _BATCH))  # a resample of many units is large
    return np.concatenate([generator.multinomial(each * len(fold), _uniform(len(fold))) @ fold for each in batches])


def _uniform(count: int) -> Floats:
    return np.full(count, 1 / count)


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down p of several tests, in their order (Holm 1979): the k-th smallest times those not smaller.

    >>> holm([0.01, 0.5, 0.02])
    (0.03, 0.5, 0.04)
    """
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return tuple(adjusted)
