"""Means with intervals, and tests of paired differences. The arithmetic is SciPy's where SciPy has it."""

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]
"""Means of columns over units, shape (..., columns), to figures, shape (...); finite where all means are 0 too."""
Units = Sequence[float] | Sequence[tuple[float, ...]]
"""One number per unit, or where a ``Function`` reads several columns, the numbers of each unit."""
RESAMPLES = 9_999
"""Of a sign-flip test with too many differences for all their signs, and of a bootstrap."""
_BATCH = 1_111
_EXACT = 13
"""Differences whose sign patterns are fewer than ``RESAMPLES``: all of them are tried."""
_TIE = 1e-9
"""Figures are made of counts: statistics that are closer than this are equal, and their digits rounding."""


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


def block_estimate(
    blocks: Mapping[Hashable, Units], interval: Literal["t", "bootstrap"] = "t", of: Function | None = None
) -> Estimate:
    """Mean over blocks of each block's figure over its units (few-shot: a fold's episodes, all seeds pooled).

    Args:
        blocks: block -> what its units scored.
        interval: of a single block, "t" or "bootstrap" over its units; "t" is of a mean.
        of: a block's figure, of its units' means; None: the mean.

    Returns:
        With two or more blocks the interval is a t interval over the blocks' figures; with one it is over its units,
        and covers the draw of units only.
    """
    figures = [figure(each, of) for each in blocks.values()]
    if len(figures) > 1 or len(next(iter(blocks.values()))) < 2:
        return t_interval(figures)
    (units,) = blocks.values()
    numbers = np.array(units)
    if interval == "t":
        return t_interval(numbers.tolist())
    low, high = bootstrap_interval([numbers[:, None]], of)
    return Estimate(figures[0], float(high[0] - low[0]) / 2)


def figure(units: Units, of: Function | None = None) -> float:
    """The mean of one number per unit, or a function of the means of several."""
    columns = np.atleast_2d(np.array(units).T)
    means = np.array([math.fsum(column) / len(units) for column in columns])
    return float(of(means) if of else means[0])


def sign_flip_p(blocks: Sequence[Floats]) -> Floats:
    """Two-sided p of a paired permutation test: had the signs of the differences been drawn, how often as large a mean.

    The statistic is the mean over blocks of the mean difference of their units; each unit's sign is flipped by
    itself. It is ``scipy.stats.permutation_test`` of one sample, of many comparisons at once.

    Args:
        blocks: paired differences of each block, shape (its units, comparisons).

    Returns:
        Shape (comparisons,); exact for up to 13 units, else of 9,999 seeded draws, 0.0001 at least.
    """
    weighted = np.concatenate([block / (len(block) * len(blocks)) for block in blocks])
    return _permutation_p(lambda signs: signs @ weighted, len(weighted))


def swap_p(blocks: Sequence[Floats], of: Function) -> Floats:
    """``sign_flip_p`` of figures that are no means: what two rows scored on a unit is swapped, or not.

    The statistic is the mean over blocks of the difference of both rows' figures. Of means it is ``sign_flip_p``.

    Args:
        blocks: paired units of each block, shape (its units, comparisons, columns of both rows).
        of: the difference of the figures, of the columns' means.

    Returns:
        Shape (comparisons,), as ``sign_flip_p``.
    """
    centres, halves = [], []
    for block in blocks:
        one, other = np.split(block, 2, axis=-1)
        centres.append(np.concatenate([one + other] * 2, axis=-1).mean(0) / 2)
        halves.append(np.concatenate([one - other, other - one], axis=-1) / (2 * len(block)))
    ends = np.cumsum([len(block) for block in blocks])[:-1]

    def statistic(signs: Floats) -> Floats:
        swapped = (
            of(centre + np.tensordot(each, half, axes=1))
            for each, centre, half in zip(np.split(signs, ends, axis=1), centres, halves, strict=True)
        )
        return np.asarray(sum(swapped) / len(blocks))

    return _permutation_p(statistic, sum(map(len, blocks)))


def _permutation_p(statistic: Function, units: int) -> Floats:
    """How often signs, shape (draws, units), give a statistic, shape (draws, comparisons), as large as without them."""
    observed = np.abs(statistic(np.ones((1, units))))[0] - _TIE
    if units <= _EXACT:
        every = np.array(list(itertools.product((1.0, -1.0), repeat=units)))
        return np.asarray((np.abs(statistic(every)) >= observed).mean(axis=0))
    as_large = sum((np.abs(statistic(signs)) >= observed).sum(axis=0) for signs in _drawn_signs(units))
    return np.asarray((as_large + 1) / (RESAMPLES + 1))


def _drawn_signs(count: int) -> Iterator[Floats]:
    generator = np.random.default_rng(0)
    for _ in range(RESAMPLES // _BATCH):
        yield 2.0 * generator.integers(2, size=(_BATCH, count), dtype=np.int8) - 1.0


def bootstrap_interval(blocks: Sequence[Floats], of: Function | None = None) -> Floats:
    """95 % percentile interval of the mean over blocks: blocks are drawn again, and in each its units.

    SciPy's bootstrap knows no levels. How often a unit is drawn is multinomial, given how often its block is: the
    units of a block that is drawn twice are pooled.

    Args:
        blocks: of each block its units' values, shape (units, comparisons); with ``of`` (..., columns).
        of: a block's figure, of the columns' means; None: the mean.

    Returns:
        Low and high, shape (2, comparisons).
    """
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(len(blocks), _uniform(len(blocks)), size=RESAMPLES)
    means = sum(
        _resampled(generator, block, times, of) / (len(block) * len(blocks))
        for block, times in zip(blocks, drawn.T, strict=True)
    )
    return np.asarray(np.quantile(means, (0.025, 0.975), axis=0))


def _resampled(generator: np.random.Generator, block: Floats, times: NDArray[np.int64], of: Function | None) -> Floats:
    """Sums of a block's values, each drawn as often as its block was times its units, shape (resamples, comparisons).

    Of figures that are no means: the figure times as many units.
    """
    batches = np.split(times, range(_BATCH, len(times), _BATCH))  # a resample of many units is large
    flat = block.reshape(len(block), -1)
    sums = np.concatenate([generator.multinomial(each * len(block), _uniform(len(block))) @ flat for each in batches])
    if of is None:
        return sums
    units = times * len(block)
    means = sums.reshape(len(times), *block.shape[1:]) / np.maximum(units, 1)[:, None, None]
    return of(means) * units[:, None]


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
