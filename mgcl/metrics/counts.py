"""Counts of hits and false alarms at every threshold, and F1 at one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Changes:
    """Changes of one class's counts as the threshold falls below a score, the highest score first.

    Attributes:
        score: shape (rows,).
        clip: index of the clip whose count changes, shape (rows,).
        hits: change of the number of found events, shape (rows,).
        false_alarms: change of the number of false detections, shape (rows,).
        triggers: change of the number of detections that another class triggered, shape (rows,).
        other: index of that class; 0 where ``triggers`` is 0; shape (rows,).
        reference: number of events of each clip, shape (clips,).
    """

    score: Floats
    clip: Ints
    hits: Floats
    false_alarms: Floats
    triggers: Floats
    other: Ints
    reference: Floats

    @property
    def ends(self) -> Ints:
        """Last row of each score: a threshold passes all rows of one score at once."""
        return np.flatnonzero(np.append(np.diff(self.score) != 0, True)[: len(self.score)])


def best_threshold(changes: Changes, clips: NDArray[np.bool_]) -> float:
    """Threshold of the highest F1 on some of the clips; of equal ones the highest; infinite without a hit.

    The threshold lies midway between the score that it must fall below and the next lower one.

    Args:
        changes: changes of one class.
        clips: which clips count, shape (clips,).
    """
    rows = clips[changes.clip]
    score = changes.score[rows]
    ends = np.flatnonzero(np.append(np.diff(score) != 0, True)[: len(score)])
    hits, false_alarms = (each[rows].cumsum()[ends] for each in (changes.hits, changes.false_alarms))
    if not hits.any():
        return float("inf")
    figures = f1(hits, false_alarms, changes.reference[clips].sum() - hits)
    best = int(figures.argmax())
    if best + 1 == len(ends):
        return float("-inf")
    return float(score[ends[best : best + 2]].mean())


def counts_at(changes: Changes, threshold: float) -> tuple[Floats, Floats, Floats]:
    """Hits, false alarms and misses of each clip at a threshold, each of shape (clips,)."""
    rows, clips = changes.score > threshold, len(changes.reference)
    hits, false_alarms = (
        np.bincount(changes.clip[rows], each[rows], clips).astype(float)
        for each in (changes.hits, changes.false_alarms)
    )
    return hits, false_alarms, changes.reference - hits


def f1(hits: Floats, false_alarms: Floats, misses: Floats) -> Floats:
    """Harmonic mean of precision and recall; 0 if there is nothing to find and nothing found."""
    return np.asarray(2 * hits / np.maximum(2 * hits + false_alarms + misses, 1e-12))
