"""A figure over a set of clips, as one number per clip, for figures that are no mean of the clips' scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST, _FEWEST = 500, 20
"""Largest and least number of units; of more clips, every ``MOST``-th one is in the same unit."""
_PAIRS = 1 << 26
"""Pairs of clip and class that all units together read, before there are fewer units."""


def jackknife(
    figure: Callable[[Floats], Floats], clips: int, most: int = MOST, recordings: Sequence[str] | None = None
) -> Floats:
    """Share of each clip in a figure: how much the figure falls without the clip, around the figure itself.

    The mean of the numbers is the figure. Their spread is that of the delete-one jackknife, so that their bootstrap
    interval is an interval of the figure over clips, and the differences of two rows are paired by clip (Efron and
    Tibshirani, "An introduction to the bootstrap", 1993, ch. 11). For a mean of scores the numbers are the scores.

    Args:
        figure: function from weights of the clips, shape (resamples, clips), to figures, shape (resamples,).
        clips: number of clips, at least 2.
        most: largest number of units; with more clips a unit is a group of clips.
        recordings: recording of each clip, of at least two; clips of one recording are one unit, in the order of their
            first clips. None: each clip is a recording of its own.

    Returns:
        Shape (units,).
    """
    place = {name: number for number, name in enumerate(dict.fromkeys(recordings or map(str, range(clips))))}
    units = min(len(place), most)
    weights = np.ones((units + 1, clips))
    weights[1 + np.array([place[name] for name in recordings or place]) % units, np.arange(clips)] = 0
    figures = figure(weights)
    without = figures[1:]
    return np.asarray(figures[0] + (units - 1) * (without.mean() - without))


def affordable(clips: int, classes: int) -> int:
    """Number of units for a figure over all thresholds: ``MOST``, and fewer where that would take hours.

    It depends on the data set alone, so that rows keep their units in common.

    >>> affordable(240, 30), affordable(5_000, 100), affordable(15_000, 400)
    (500, 134, 20)
    """
    return max(_FEWEST, min(MOST, _PAIRS // (clips * classes)))
