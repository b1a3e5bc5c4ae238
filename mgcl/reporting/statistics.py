"""Means with intervals, and tests of paired differences. SciPy does the arithmetic that it offers."""

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]
"""Function from column means over units, shape (..., columns), to figures, shape (...); finite even if all are 0."""
Units = Sequence[float] | Sequence[tuple[float, ...]]
"""One number per unit, or several numbers per unit if a ``Function`` reads several columns."""
RESAMPLES = 9_999
"""Number of resamples of a bootstrap, and of a permutation test that has too many units for an exact p."""
_BATCH = 1_111
_EXACT = 13
"""Largest number of units whose sign patterns are fewer than ``RESAMPLES``; up to it the test is exact."""
_TIE = 1e-9
"""Tolerance for ties. Figures are made of counts, so statistics that are closer than this differ by rounding only."""


@dataclass(frozen=True)
class Estimate:
    """Mean with the half-width of its 95 % interval; the half-width is NaN for a single number."""

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
    quantile = stdtrit(len(values) - 1, 0.975)
    return Estimate(mean, float(quantile * np.std(values, ddof=1) / math.sqrt(len(values))))


def block_estimate(
    blocks: Mapping[Hashable, Units], interval: Literal["t", "bootstrap"] = "t", of: Function | None = None
) -> Estimate:
    """Mean over blocks of the figure of each block (few-shot: of a fold's episodes, all seeds pooled).

    Args:
        blocks: block -> scores of its units.
        interval: kind of the interval over the units of a single block; "t" only if the figure is a mean.
        of: function from the means of the units' columns to a block's figure; None: the mean of one number per unit.

    Returns:
        The estimate. With two or more blocks its interval is a t interval over the blocks' figures. With one block it
        is over the units, and covers the draw of units only.
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
    """Mean of one number per unit, or ``of`` the means of several numbers per unit."""
    columns = np.atleast_2d(np.array(units).T)
    means = np.array([math.fsum(column) / len(units) for column in columns])
    return float(of(means) if of else means[0])


def sign_flip_p(blocks: Sequence[Floats]) -> Floats:
    """Two-sided p of a paired permutation test: how often random signs give a mean difference at least as large.

    The statistic is the mean over blocks of the mean difference of their units; the sign of each unit is flipped
    independently. The test equals ``scipy.stats.permutation_test`` of one sample, for many comparisons at once.

    Args:
        blocks: paired differences, one array per block, shape (units of the block, comparisons).

    Returns:
        p, shape (comparisons,): exact for up to 13 units, otherwise from 9,999 seeded draws and at least 0.0001.
    """
    weighted = np.concatenate([block / (len(block) * len(blocks)) for block in blocks])
    return _permutation_p(lambda signs: signs @ weighted, len(weighted))


def swap_p(blocks: Sequence[Floats], of: Function) -> Floats:
    """Two-sided p of a permutation test that swaps the scores of two rows on single units at random.

    It generalises ``sign_flip_p`` to figures that are not means; for means both give the same p. The statistic is the
    mean over blocks of the difference of both rows' figures.

    Args:
        blocks: paired scores, one array per block, shape (units of the block, comparisons, columns of both rows).
        of: function from the means of both rows' columns to the difference of their figures.

    Returns:
        p, shape (comparisons,), exact or drawn as in ``sign_flip_p``.
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
    """Share of sign patterns whose absolute statistic is at least the observed one, shape (comparisons,).

    ``statistic`` maps signs, shape (draws, units), to statistics, shape (draws, comparisons).
    """
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
    """95 % percentile interval of the mean over blocks, from a two-level bootstrap of blocks and of their units.

    SciPy's bootstrap has one level only. Given how often a block is drawn, the counts of its units are multinomial:
    the units of a block that is drawn twice are pooled.

    Args:
        blocks: values of the units, one array per block, shape (units, comparisons), or (units, comparisons, columns)
            with ``of``.
        of: function from the means of the columns to a block's figure; None: the mean.

    Returns:
        Lower and upper ends, shape (2, comparisons).
    """
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(len(blocks), _uniform(len(blocks)), size=RESAMPLES)
    means = sum(
        _resampled(generator, block, times, of) / (len(block) * len(blocks))
        for block, times in zip(blocks, drawn.T, strict=True)
    )
    return np.asarray(np.quantile(means, (0.025, 0.975), axis=0))


def _resampled(generator: np.random.Generator, block: Floats, times: NDArray[np.int64], of: Function | None) -> Floats:
    """Resampled sums of a block's values, shape (resamples, comparisons).

    A resample that holds the block k times draws k x ``len(block)`` units. With ``of`` the result is the figure of the
    drawn units multiplied by their number.
    """
    batches = np.split(times, range(_BATCH, len(times), _BATCH))  # bounds the memory
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
    """Holm's step-down adjusted p of several tests, in their order (Holm 1979).

    The k-th smallest of n is multiplied by n - k + 1, limited to 1, and never less than the adjusted p before it.

    >>> holm([0.01, 0.5, 0.02])
    (0.03, 0.5, 0.04)
    """
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return tuple(adjusted)
