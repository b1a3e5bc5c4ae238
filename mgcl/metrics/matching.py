"""Which detections are right, at all thresholds of one clip and class: by their overlap with events, or by collars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.metrics.counts import Floats, Ints

DECIMALS = 6
"""Times are compared to the microsecond, so that an exact match is not missed by rounding."""


@dataclass(frozen=True)
class Collars:
    """How near the ends of a detection must be to those of an event (Mesaros et al., Applied Sciences 6:162, 2016).

    Attributes:
        onset: largest distance of the onsets, in seconds.
        offset: largest distance of the offsets, in seconds.
        offset_rate: the same as a share of the event's length; the larger of both holds.
    """

    onset: float = 0.2
    offset: float = 0.2
    offset_rate: float = 0.2


@dataclass(frozen=True)
class Intersections:
    """How much a detection and an event must overlap (Bilen et al., ICASSP 2020).

    Attributes:
        detection: share of a detection that events of its class must cover, or it is a false alarm.
        event: share of an event that such detections must cover, or it is missed.
        trigger: share of a false alarm that events of another class must cover to have triggered it; None: not counted.
    """

    detection: float
    event: float
    trigger: float | None = None


@dataclass(frozen=True)
class Runs:
    """Detections of one clip and class at all thresholds: number of the threshold, onset and offset of each."""

    thresholds: int
    row: Ints
    onset: Floats
    offset: Floats


Counted = tuple[Floats, Floats, Mapping[int, Floats]]
"""At each threshold: hits, false alarms, and triggers of each other class that has any event."""


def _overlap(runs: Runs, events: Floats) -> Floats:
    """Seconds that each detection shares with each event, shape (detections, events)."""
    ends = np.minimum(runs.offset[:, None], events[:, 1])
    return np.asarray(np.maximum(ends - np.maximum(runs.onset[:, None], events[:, 0]), 0))


def by_overlap(runs: Runs, of: int, there: Mapping[int, Floats], rule: Intersections) -> Counted:
    """Counts by overlap (Bilen et al. 2020).

    Args:
        runs: detections of a class in a clip.
        of: number of the class.
        there: number of a class -> onset and offset of its events in the clip, shape (events, 2).
        rule: how much must overlap.
    """
    events, length = there.get(of, np.zeros((0, 2))), runs.offset - runs.onset
    shared = _overlap(runs, events)
    right = np.round(shared.sum(1), DECIMALS) >= np.round(rule.detection * length, DECIMALS)
    covered = np.zeros((runs.thresholds, len(events)))
    np.add.at(covered, runs.row[right], shared[right])
    needed = np.round(rule.event * (events[:, 1] - events[:, 0]), DECIMALS)
    hits = (np.round(covered, DECIMALS) >= needed).sum(1).astype(float)
    triggers = {}
    for other in () if rule.trigger is None else there.keys() - {of}:
        least = np.round((rule.trigger or 0.0) * length, DECIMALS)
        crossed = np.round(_overlap(runs, there[other]).sum(1), DECIMALS) >= least
        triggers[other] = np.bincount(runs.row[crossed & ~right], minlength=runs.thresholds).astype(float)
    return hits, np.bincount(runs.row[~right], minlength=runs.thresholds).astype(float), triggers


def by_collars(runs: Runs, events: Floats, rule: Collars) -> Counted:
    """Counts by collars: the largest matching of detections and events, each used once.

    Args:
        runs: detections of a class in a clip.
        events: onset and offset of the class's events there, shape (events, 2).
        rule: how near the ends must be.
    """
    collar = np.maximum(rule.offset, rule.offset_rate * (events[:, 1] - events[:, 0]))
    near = np.round(np.abs(runs.onset[:, None] - events[:, 0]) - rule.onset, DECIMALS) <= 0
    near &= np.round(np.abs(runs.offset[:, None] - events[:, 1]) - collar, DECIMALS) <= 0
    hits = np.bincount(runs.row, near.sum(1), runs.thresholds).astype(float)
    by_event = np.zeros((runs.thresholds, len(events)), int)
    np.add.at(by_event, runs.row, near)
    shared = np.bincount(runs.row, near.sum(1) > 1, runs.thresholds) + (by_event > 1).any(1)
    for row in np.flatnonzero(shared):
        hits[row] = _largest_matching(near[runs.row == row])
    return hits, np.bincount(runs.row, minlength=runs.thresholds) - hits, {}


def _largest_matching(near: NDArray[np.bool_]) -> int:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    return int((maximum_bipartite_matching(csr_array(near)) >= 0).sum())
