"""The polyphonic sound detection score (PSDS; Bilen et al., ICASSP 2020), exact over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgcl.events import Event
from mgcl.metrics.counts import Changes, Floats
from mgcl.metrics.matching import Intersections

_HOUR = 3600.0
_AT_ONCE = 1 << 21
"""Numbers that are computed together, which bounds the memory."""


@dataclass(frozen=True)
class Psds:
    """Parameters of a PSDS.

    Attributes:
        rule: how much detections and events must overlap.
        alpha_ct: weight of the rate of cross-triggers.
        alpha_st: weight of the standard deviation over classes.
        max_efpr: largest effective false positive rate, per hour.
    """

    rule: Intersections
    alpha_ct: float = 0.0
    alpha_st: float = 0.0
    max_efpr: float = 100.0


PSDS1 = Psds(Intersections(0.7, 0.7), alpha_st=1.0)
"""Reacts fast and places events exactly (DCASE 2021 task 4)."""
PSDS1_A = Psds(Intersections(0.7, 0.7))
"""The same without a penalty for classes that are detected unequally well."""
PSDS2 = Psds(Intersections(0.1, 0.1, 0.3), alpha_ct=0.5, alpha_st=1.0)
"""Does not confuse classes (DCASE 2021 task 4)."""


def psds(
    changes: Sequence[Changes],
    events: Sequence[Sequence[Event]],
    classes: Sequence[str],
    seconds: Floats,
    parameters: Psds,
    weights: Floats | None = None,
) -> Floats:
    """PSDS of a set of clips, and of resamples of it.

    The score is the area under the mean over classes of the true positive rate, less ``alpha_st`` times its standard
    deviation, up to ``max_efpr`` effective false positives an hour, as a share of the largest area. A class without an
    event has no true positive rate and is left out, in each resample by itself.

    Args:
        changes: changes of each class's counts by ``parameters.rule``, of ``overlap_changes``.
        events: events of each clip.
        classes: names of the classes.
        seconds: length of each clip, shape (clips,).
        parameters: the PSDS.
        weights: how often each clip counts, one row per resample, shape (resamples, clips); None: once.

    Returns:
        In 0..1, shape (resamples,); one number without weights. 0 without an event.
    """
    times = np.ones((1, len(seconds))) if weights is None else weights
    place = {name: index for index, name in enumerate(classes)}
    sounding = np.zeros((len(events), len(classes)))
    for clip, each in enumerate(events):
        for event in each:
            sounding[clip, place[event.label]] += event.offset - event.onset
    rows = max(1, sum(len(each.score) for each in changes))
    batches = np.array_split(times, max(1, -(-len(times) * rows // _AT_ONCE)))
    return np.concatenate([_batch(changes, sounding, seconds, parameters, batch) for batch in batches])


def _batch(changes: Sequence[Changes], sounding: Floats, seconds: Floats, parameters: Psds, weights: Floats) -> Floats:
    present = np.stack([weights @ each.reference > 0 for each in changes], axis=1)
    classes = np.maximum(present.sum(1), 1)
    weight = parameters.alpha_ct / np.maximum(classes - 1, 1)
    curves = [_curve(each, weights, weights @ sounding, weights @ seconds, weight[:, None]) for each in changes]
    rates = np.concatenate([np.minimum(rate, parameters.max_efpr) for rate, _ in curves], axis=1)
    rises = np.concatenate([np.diff(height, axis=1, prepend=0) for _, height in curves], axis=1)
    if not parameters.alpha_st:
        return np.asarray((rises * (parameters.max_efpr - rates)).sum(1) / classes / parameters.max_efpr)
    squares = np.concatenate([np.diff(height**2, axis=1, prepend=0) for _, height in curves], axis=1)
    order = np.argsort(rates, axis=1)
    rates, rises, squares = (np.take_along_axis(each, order, axis=1) for each in (rates, rises, squares))
    mean = rises.cumsum(1) / classes[:, None]
    spread = np.sqrt(np.maximum(squares.cumsum(1) / classes[:, None] - mean**2, 0))
    heights = np.maximum(mean - parameters.alpha_st * spread, 0)
    widths = np.diff(rates, axis=1, append=parameters.max_efpr)
    return np.asarray((heights * widths).sum(1) / parameters.max_efpr)


def _curve(
    changes: Changes, weights: Floats, sounding: Floats, seconds: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    """Effective false positive rate per hour, rising, and the highest true positive rate up to there.

    Both have shape (resamples, thresholds).
    """
    taken, ends = weights[:, changes.clip], changes.ends
    events = np.maximum(weights @ changes.reference, 1)[:, None]
    found = (taken * changes.hits).cumsum(1)[:, ends] / events
    wrong = (taken * changes.false_alarms).cumsum(1)[:, ends] / seconds[:, None]
    if changes.triggers.any():
        triggered = taken * changes.triggers / np.maximum(sounding[:, changes.other], 1e-12)
        wrong = wrong + weight * triggered.cumsum(1)[:, ends]
    rate = wrong * _HOUR
    order = np.argsort(rate, axis=1)
    rate, found = (np.take_along_axis(each, order, axis=1) for each in (rate, found))
    return rate, np.maximum.accumulate(found, axis=1)
