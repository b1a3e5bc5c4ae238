"""Zero-shot grounding of phrases: where in its clip a phrase sounds (Xu et al. 2021, "Text-to-audio grounding").

A query is a clip and the one phrase that is asked of it; queries of one recording are one unit. The score of a frame is
the sigmoid of the cosine of its segment with the phrase, smoothed by a median filter. A PSDS over 50 thresholds rates
all queries as one class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.errors import SweepError
from mgcl.events import Event
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Setup, Words
from mgcl.tasks._text_rows import unfit as unfit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mgcl.features import FeatureBank

VERSION = 2
METHODS = ("few_shot", "zero_shot")
GENERATED = "soundscape_phrases"
READS = ("events", "label", "segments")
OVERLAPS = {"PSDS-0.5": 0.5, "PSDS-0.7": 0.7, "PSDS-0.1": 0.1}
"""Metric -> least share that a detection and its events must cover of each other."""
METRICS = tuple(Metric(name, "", decimals=3, interval="bootstrap") for name in OVERLAPS)
COLUMNS = {"phrases": Coordinate(int, "different ones, each asked of one clip or several")}
POOLED: Mapping[str, Coordinate] = {}
SETTING: Mapping[str, Coordinate] = {}
WORDS = Words(
    unit="recording",
    devices_caveat=": figures may differ in the last digit",
    p_caveat="All queries of a recording are one unit, which counts by its share of the figure (jackknife). The test "
    "says whether other recordings would show a difference.",
)
PRESETS: Mapping[str, Mapping[str, Value]] = {}

_THRESHOLDS, _MEDIAN, _GAP, _MOST_FALSE_ALARMS = 50, 3, 0.5, 800.0
"""Of MGA-CLAP's protocol: number, evenly spread over 0..1; frames; seconds; largest rate of false alarms per hour.

Its code closes gaps up to ``_GAP``, rounded up to whole frames: 0.625 s for frames of 10/32 s.
"""
_CLIPS_AT_ONCE = 64
_QUERIED = "queried"


@dataclass(frozen=True)
class Cell(records.Cell):
    """All queries of a bank."""

    phrases: int
    """Number of different phrases."""


@dataclass(frozen=True)
class Draws:
    """Nothing is drawn, and the protocol is one."""

    task: ClassVar[str] = "grounding"


def cells(_draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """One cell.

    Raises:
        SweepError: ``only`` is given; or the bank has queries of fewer than two recordings, or a clip with events that
            are not of its label.
    """
    if only:
        raise SweepError("`params`: grounding has nothing to search; leave it out")
    if bank.lacks(READS):
        raise SweepError(f"{bank.path}: this bank lacks a phrase (label) per clip, events or segments; name another")
    phrases = bank.clips["label"].to_pylist()
    for clip, phrase, events in zip(bank.clips["clip_id"].to_pylist(), phrases, bank.events, strict=True):
        if strange := {event.label for event in events} - {phrase}:
            raise SweepError(
                f"{bank.path}: clip {clip} asks for {phrase!r} and has events of {', '.join(sorted(strange))}; name a "
                "bank of AudioGrounding's layout, where a clip has one phrase"
            )
    if len(set(_recordings(bank))) < 2 or not any(bank.events):
        raise SweepError(f"{bank.path}: needs queries of two recordings, and an event; name another")
    return (Cell(len(set(phrases))),)


def place(cell: Cell) -> dict[str, Value]:
    """Name -> value of all coordinates of a cell."""
    return {"phrases": cell.phrases}


def work(cell: Cell, _parameters: Mapping[str, Value]) -> float:
    """Number of phrases."""
    return float(cell.phrases)


def largest_stack(_setup: Setup) -> int:
    """Number of clips whose frames are computed together."""
    return _CLIPS_AT_ONCE


def run(setup: Setup, stack: int) -> Measured:
    """Score the frames of every query, and compare its detections with its events.

    A recording's PSDS is its share of the figure (``jackknife``).

    Raises:
        FloatingPointError: a logit is not finite.
    """
    import numpy as np

    from mgcl.metrics import detection as counting
    from mgcl.metrics.jackknife import jackknife
    from mgcl.metrics.matching import Intersections
    from mgcl.metrics.psds import Psds, psds
    from mgcl.tasks import _class_texts as class_texts

    bank, phrases = setup.bank, setup.bank.clips["label"].to_pylist()
    support = class_texts.described(bank, class_texts.texts_of(setup.parameters), setup.device)
    segments, seconds = bank.header.segments, bank.header.seconds
    asked = np.repeat([bank.row_of_class[phrase] for phrase in phrases], segments)
    logits, convergence = class_texts.logits(setup, support, class_texts.frames_of(setup, stack), asked)
    cosines = logits.reshape(len(phrases), segments, 1).astype(float) / bank.header.logit_scale
    frames = counting.median_filtered(1 / (1 + np.exp(-cosines)), _MEDIAN)
    events = [
        [Event(each.onset, each.offset, _QUERIED) for each in counting.joined(of_clip, seconds)]
        for of_clip in bank.events
    ]
    edges, lengths = np.linspace(0, seconds, segments + 1), np.full(len(phrases), seconds)
    points = counting.Points((np.arange(_THRESHOLDS)[::-1] + 0.5) / _THRESHOLDS, closed_gap(seconds / segments))
    recordings = _recordings(bank)
    scores = {}
    for name, share in OVERLAPS.items():
        rule = Intersections(share, share)
        changes = counting.overlap_changes(frames, edges, events, [_QUERIED], rule, points)
        parameters = Psds(rule, max_efpr=_MOST_FALSE_ALARMS)

        def figure(weights: NDArray[np.float64], of: Any = parameters, counted: Any = changes) -> Any:
            return psds(counted, events, [_QUERIED], lengths, of, weights)

        scores[name] = tuple(jackknife(figure, len(events), recordings=recordings).tolist())
    return Measured(scores, convergence)


def closed_gap(step: float) -> float:
    """Longest gap between two detections that is closed, in seconds: a whole number of frames of ``step`` seconds.

    >>> closed_gap(10 / 32), closed_gap(0.5)
    (0.625, 0.5)
    """
    return math.ceil(_GAP / step) * step


def _recordings(bank: FeatureBank) -> list[str]:
    """Recording of each query; one without a source is a recording of its own."""
    columns = (bank.clips[name].to_pylist() for name in ("source", "clip_id"))
    return [source or clip for source, clip in zip(*columns, strict=True)]


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column, e.g. "30 phrases"."""
    return f"{column[0]} phrases"


def heading(_setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return "grounding of phrases"


def caption(_setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting, for captions."""
    return (
        f"PSDS of all queries as one class, up to {_MOST_FALSE_ALARMS:g} false alarms an hour, over {_THRESHOLDS} "
        f"thresholds of the sigmoid of the cosine; a median filter of {_MEDIAN} frames; gaps up to {_GAP:g} s, rounded "
        "up to whole frames, are closed. The number is the share that a detection and its events must cover of each "
        "other. Recordings count in the intervals by their jackknife values."
    )
