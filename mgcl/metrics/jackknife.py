"""A figure over a set of clips, as one number per unit, for figures that are no mean of the clips' scores."""

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
    """Share of each unit, a clip or all clips of a recording, in a figure: how much the figure falls without it.

    The mean of the numbers is the figure. Their spread is that of the delete-one jackknife, so that their bootstrap
    interval is an interval of the figure over units, and the differences of two rows are paired by unit (Efron and
    Tibshirani, "An introduction to the bootstrap", 1993, ch. 11). For a mean of the clips' scores with a unit per clip
    the numbers are the scores.

    Args:
        figure: function from weights of the clips, shape (resamples, clips), to figures, shape (resamples,).
        clips: number of clips, at least 2.
        most: largest number of units; with more clips or recordings a unit is a group of them.
        recordings: recording of each clip, of at least two; clips of one recording are one unit, in the order of their
            first clips. None: each clip is a recording of its own.

    Returns:
        Shape (units,).
    """
    of_clip = recordings or [str(clip) for clip in range(clips)]
    number = {recording: place for place, recording in enumerate(dict.fromkeys(of_clip))}
    units = min(len(number), most)
    weights = np.ones((units + 1, clips))
    weights[1 + np.array([number[recording] for recording in of_clip]) % units, np.arange(clips)] = 0
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
