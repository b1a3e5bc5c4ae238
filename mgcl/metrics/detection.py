"""Sound event detection: how the counts of hits and false alarms change with the threshold.

A detection is a run of frames whose score exceeds a threshold. The counts of a clip and class change only at its
scores, so that all thresholds together are as many rows as there are changes (Ebbers et al., "Threshold-independent
evaluation of sound event detection scores", ICASSP 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgcl.events import Event
from mgcl.metrics.counts import Changes, Floats, Ints
from mgcl.metrics.matching import DECIMALS, Collars, Counted, Intersections, Runs, by_collars, by_overlap


@dataclass(frozen=True)
class Points:
    """Operating points: a few thresholds in place of all, and detections with a short gap between them as one.

    Attributes:
        thresholds: falling, shape (thresholds,); a score at the threshold passes.
        gap: longest gap that is closed, in seconds.
    """

    thresholds: Floats
    gap: float = 0.0


def joined(events: Sequence[Event], seconds: float) -> tuple[Event, ...]:
    """Events as the metrics count them: those of one class that touch or overlap are one, and all end with the clip.

    Args:
        events: events of one clip.
        seconds: length of the clip; what lies beyond it is left out.
    """
    found: list[Event] = []
    for each in sorted(events, key=lambda event: (event.label, event.onset)):
        offset = min(each.offset, seconds)
        if found and found[-1].label == each.label and each.onset <= found[-1].offset:
            found[-1] = Event(found[-1].onset, max(offset, found[-1].offset), each.label)
        elif each.onset < offset:
            found.append(Event(each.onset, offset, each.label))
    return tuple(sorted(found))


def median_filtered(scores: Floats, frames: int) -> Floats:
    """Median of the surrounding frames; clips are mirrored at their ends.

    Args:
        scores: shape (clips, frames, classes).
        frames: odd number of frames; 1 changes nothing.
    """
    half = frames // 2
    padded = np.pad(scores, ((0, 0), (half, half), (0, 0)), mode="symmetric")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, frames, axis=1), axis=-1))


def overlap_changes(
    scores: Floats,
    edges: Floats,
    events: Sequence[Sequence[Event]],
    classes: Sequence[str],
    rule: Intersections,
    points: Points | None = None,
) -> tuple[Changes, ...]:
    """Changes of every class's counts by overlap, for PSDS.

    Args:
        scores: shape (clips, frames, classes).
        edges: start of each frame and end of the last, in seconds, shape (frames + 1,).
        events: events of each clip, of these classes.
        classes: names of the classes.
        rule: how much must overlap.
        points: thresholds; None: all.
    """

    def count(runs: Runs, of: int, there: Mapping[int, Floats]) -> Counted:
        return by_overlap(runs, of, there, rule)

    return _changes(scores, edges, events, classes, count, triggers=rule.trigger is not None, points=points)


def collar_changes(
    scores: Floats, edges: Floats, events: Sequence[Sequence[Event]], classes: Sequence[str], rule: Collars
) -> tuple[Changes, ...]:
    """Changes of every class's counts by collars, for event-based F1; arguments as in ``overlap_changes``."""

    def count(runs: Runs, of: int, there: Mapping[int, Floats]) -> Counted:
        return by_collars(runs, there[of], rule)

    return _changes(scores, edges, events, classes, count, triggers=False)


def segment_changes(
    scores: Floats,
    edges: Floats,
    events: Sequence[Sequence[Event]],
    classes: Sequence[str],
    length: float = 1.0,
) -> tuple[Changes, ...]:
    """Changes of every class's counts of segments, for segment-based F1 (Mesaros et al. 2016).

    A segment has the highest score of the frames that it touches; it is true if an event touches it.

    Args:
        scores: as in ``overlap_changes``.
        edges: as in ``overlap_changes``; the clips end at the last one.
        events: as in ``overlap_changes``.
        classes: as in ``overlap_changes``.
        length: length of a segment, in seconds.
    """
    edges = np.round(edges, DECIMALS)
    bounds = np.round(np.arange(int(np.ceil(edges[-1] / length)) + 1) * length, DECIMALS)
    touched = (edges[:-1] < bounds[1:, None]) & (edges[1:] > bounds[:-1, None])
    highest = np.stack([scores[:, frames].max(1) for frames in touched], axis=1)
    truth = np.zeros(highest.shape, bool)
    place = {name: index for index, name in enumerate(classes)}
    for clip, each in enumerate(events):
        for event in each:
            truth[clip, :, place[event.label]] |= (bounds[:-1] < event.offset) & (bounds[1:] > event.onset)
    clips = np.repeat(np.arange(len(scores)), len(bounds) - 1)
    return tuple(
        _sorted(
            [(highest[..., of].ravel(), clips, truth[..., of].ravel(), ~truth[..., of].ravel(), 0, 0)],
            truth[..., of].sum(1).astype(float),
        )
        for of in range(len(classes))
    )


def _changes(
    scores: Floats,
    edges: Floats,
    events: Sequence[Sequence[Event]],
    classes: Sequence[str],
    count: Callable[[Runs, int, Mapping[int, Floats]], Counted],
    *,
    triggers: bool,
    points: Points | None = None,
) -> tuple[Changes, ...]:
    place = {name: index for index, name in enumerate(classes)}
    there: list[dict[int, Floats]] = [{} for _ in events]
    for clip, each in enumerate(events):
        for of in dict.fromkeys(place[event.label] for event in each):
            there[clip][of] = np.array([(one.onset, one.offset) for one in each if place[one.label] == of])
    found = []
    for of in range(len(classes)):
        counted = [clip for clip, each in enumerate(there) if points or of in each or (triggers and each)]
        empty = np.setdiff1d(np.arange(len(scores)), counted)
        parts = [_without_events(scores[empty, :, of], empty)]
        for clip in counted:
            parts += _of_clip(scores[clip, :, of], edges, clip, of, there[clip], count, points)
        found.append(_sorted(parts, np.array([float(len(each.get(of, ()))) for each in there])))
    return tuple(found)


def _of_clip(
    scores: Floats,
    edges: Floats,
    clip: int,
    of: int,
    there: Mapping[int, Floats],
    count: Callable[[Runs, int, Mapping[int, Floats]], Counted],
    points: Points | None,
) -> list[Any]:
    """Rows of ``Changes`` of one clip: those of its counts, and those of each other class's triggers."""
    thresholds = points.thresholds if points else np.unique(scores)[::-1]
    steps = np.diff(np.pad((scores >= thresholds[:, None]).astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, first = np.nonzero(steps == 1)
    onset, offset = edges[first], edges[np.nonzero(steps == -1)[1]]
    if points and len(row):
        apart = np.round(onset[1:] - offset[:-1] - points.gap, DECIMALS) > 0
        begins, ends = np.append(True, apart | (np.diff(row) > 0)), np.append(apart | (np.diff(row) > 0), True)
        row, onset, offset = row[begins], onset[begins], offset[ends]
    hits, false_alarms, triggers = count(Runs(len(thresholds), row, onset, offset), of, there)
    hits, false_alarms = np.diff(hits, prepend=0), np.diff(false_alarms, prepend=0)
    rows = [(thresholds, clip, hits, false_alarms, 0, 0)]
    return rows + [(thresholds, clip, 0, 0, np.diff(each, prepend=0), other) for other, each in triggers.items()]


def _without_events(scores: Floats, clips: Ints) -> Any:
    """Rows of ``Changes`` of clips without events: a detection begins at a local maximum, two merge at a minimum."""
    around = np.pad(scores, ((0, 0), (1, 1)), constant_values=-np.inf)
    change: Floats = (scores > around[:, :-2]).astype(float) - (around[:, 2:] > scores)
    return scores.ravel(), np.repeat(clips, scores.shape[1]), 0, change.ravel(), 0, 0


def _sorted(parts: Sequence[Any], reference: Floats) -> Changes:
    """``Changes`` of rows in any order, without rows that change nothing."""
    shaped = [np.broadcast_arrays(*each) for each in parts]
    score, clip, hits, false_alarms, triggers, other = (np.concatenate(each) for each in zip(*shaped, strict=True))
    kept = np.flatnonzero(hits.astype(bool) | false_alarms.astype(bool) | triggers.astype(bool))
    order = kept[np.argsort(-score[kept], kind="stable")]
    return Changes(
        score[order],
        clip[order].astype(np.intp),
        hits[order].astype(float),
        false_alarms[order].astype(float),
        triggers[order].astype(float),
        other[order].astype(np.intp),
        reference,
    )
