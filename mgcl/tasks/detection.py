"""Zero-shot detection of sound events: which class sounds from when to when, by the cosines of segments with its text.

The score of a frame is the cosine of its segment with a class's sentence, smoothed by a median filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.errors import SweepError
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Setup, Summary, Words, flag
from mgcl.tasks._text_rows import unfit as unfit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mgcl.events import Event
    from mgcl.features import FeatureBank
    from mgcl.metrics.counts import Changes

_COUNTS = ("hits", "false_alarms", "misses")


def micro_f1(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of mean hits, false alarms and misses, shape (..., 3), all classes together."""
    import numpy as np

    from mgcl.metrics.counts import f1

    return f1(*np.moveaxis(means, -1, 0))


def _f1(kind: str) -> Metric:
    columns = tuple(f"{kind}_{count}" for count in _COUNTS)
    return Metric(f"{kind}-F1", interval="bootstrap", summary=Summary(columns, micro_f1))


VERSION = 1
METHODS = ("few_shot", "zero_shot")
GENERATED = "soundscape_events"
READS = ("events", "clip", "segments")
METRICS = (
    *(Metric(name, "", decimals=3, interval="bootstrap") for name in ("PSDS1", "PSDS1_A", "PSDS2")),
    *map(_f1, ("event", "segment")),
)
COLUMNS = {"median": Coordinate(int, "frames of the median filter")}
POOLED: Mapping[str, Coordinate] = {}
SETTING = {
    "classes": Coordinate(int, "that sound in a clip"),
    "threshold": Coordinate(str, "of F1: a cosine, or for each class the best one of the other half of the clips"),
    "collar": Coordinate(str, "of event-F1, in seconds at the onset, and in seconds or as a share at the offset"),
    "segment": Coordinate(str, "of segment-F1, in seconds"),
}
WORDS = Words(
    unit="clip",
    devices_caveat=": figures may differ in the last digit",
    p_caveat="A clip's number is its share of the figure (jackknife). The test is conditional on these classes: it "
    "says whether other clips of them would show a difference.",
)
PRESETS: Mapping[str, Mapping[str, Value]] = {}

OTHER_HALF = "other half"
_CLIPS_AT_ONCE = 64


@dataclass(frozen=True)
class Cell(records.Cell):
    """All clips of a bank."""

    classes: int
    """Number of classes with an event."""
    median: int
    """Frames of the median filter; odd."""
    threshold: float | None
    """Threshold of both F1, a cosine; None: each class's best one of the other half of the clips."""
    collar: float
    """Largest distance of onsets and offsets, in seconds."""
    offset_rate: float
    """The same for offsets, as a share of the event; the larger holds."""
    segment: float
    """Length of a segment of segment-F1, in seconds."""


@dataclass(frozen=True)
class Draws:
    """How scores are smoothed and events are compared; nothing is drawn at random."""

    task: ClassVar[str] = "detection"

    medians: tuple[int, ...] = flag("frames of the median filter, odd; 1: none", "N", (3,), name="median")
    threshold: float | None = flag("cosine for F1 (default: of each class the other half's best)", "T", None)
    collar: float = flag("of event-F1, in seconds", "S", 0.2)
    offset_rate: float = flag("collar of offsets as a share of the event", "R", 0.2)
    segment: float = flag("of segment-F1, in seconds", "S", 1.0)

    def __post_init__(self) -> None:
        for each in self.medians:
            if each < 1 or each % 2 == 0:
                raise SweepError(f"`medians` {each}: choose an odd number, or 1 for no filter")
        if self.collar < 0 or self.offset_rate < 0 or self.segment <= 0:
            raise SweepError("`collar`, `offset_rate`, `segment`: choose 0 or more, and a segment above 0")


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """One cell per median filter.

    Raises:
        SweepError: ``only`` is given; or the bank has no event within its window, or fewer than two clips.
    """
    if only:
        raise SweepError("`params`: detection has nothing to search; leave it out")
    if bank.lacks(["events", "segments"]):
        raise SweepError(f"{bank.path}: this bank lacks events or segments; name another")
    events = _events(bank)
    classes = len({event.label for each in events for event in each})
    if not classes or len(events) < 2:
        raise SweepError(f"{bank.path}: needs two clips and an event within {bank.header.seconds:g} s; name another")
    rules = draws.threshold, draws.collar, draws.offset_rate, draws.segment
    return tuple(Cell(classes, median, *rules) for median in draws.medians)


def _events(bank: FeatureBank) -> list[tuple[Event, ...]]:
    """Events of each clip as they are counted, within the window that the bank's segments cover."""
    from mgcl.metrics.detection import joined

    return [joined(each, bank.header.seconds) for each in bank.events]


def place(cell: Cell) -> dict[str, Value]:
    """Name -> value of all coordinates of a cell."""
    return {
        "median": cell.median,
        "classes": cell.classes,
        "threshold": OTHER_HALF if cell.threshold is None else f"{cell.threshold:g}",
        "collar": f"{cell.collar:g} s, {100 * cell.offset_rate:g} %",
        "segment": f"{cell.segment:g} s",
    }


def work(cell: Cell, _parameters: Mapping[str, Value]) -> float:
    """Number of classes: each is counted by itself."""
    return float(cell.classes)


def largest_stack(_setup: Setup) -> int:
    """Number of clips whose frames are computed together."""
    return _CLIPS_AT_ONCE


def run(setup: Setup, stack: int) -> Measured:
    """Score every frame, ``stack`` clips at a time, and compare the detections with the events.

    A clip's PSDS is its share of the figure (``jackknife``); its hits, false alarms and misses are summed over classes.

    Raises:
        FloatingPointError: a logit is not finite.
    """
    import numpy as np

    from mgcl.metrics import detection as counting
    from mgcl.metrics.jackknife import affordable, jackknife
    from mgcl.metrics.matching import Collars
    from mgcl.metrics.psds import PSDS1, PSDS1_A, PSDS2, psds
    from mgcl.tasks import _class_texts as class_texts

    bank, cell, events = setup.bank, setup.trial.cell, _events(setup.bank)
    there = {event.label for each in events for event in each}
    classes = [label for label in bank.row_of_class if label in there]
    support = class_texts.described(bank, class_texts.texts_of(setup.parameters), setup.device)
    logits, convergence = class_texts.logits(setup, support, class_texts.frames_of(setup, stack))
    cosines = logits.reshape(len(events), -1, logits.shape[-1])[..., [bank.row_of_class[each] for each in classes]]
    frames = counting.median_filtered(cosines.astype(float) / bank.header.logit_scale, cell.median)
    edges = np.linspace(0, bank.header.seconds, frames.shape[1] + 1)
    seconds = np.full(len(events), bank.header.seconds)
    scores: dict[str, NDArray[np.float64]] = {}
    for rule in (PSDS1.rule, PSDS2.rule):
        changes = counting.overlap_changes(frames, edges, events, classes, rule)
        for name, each in {"PSDS1": PSDS1, "PSDS1_A": PSDS1_A, "PSDS2": PSDS2}.items():
            if each.rule == rule:

                def figure(weights: NDArray[np.float64], of: Any = each, counted: Any = changes) -> Any:
                    return psds(counted, events, classes, seconds, of, weights)

                scores[name] = jackknife(figure, len(events), affordable(len(events), len(classes)))
    collars = Collars(cell.collar, cell.collar, cell.offset_rate)
    both = {
        "event": counting.collar_changes(frames, edges, events, classes, collars),
        "segment": counting.segment_changes(frames, edges, events, classes, cell.segment),
    }
    for kind, found in both.items():
        counts = _counts(found, cell.threshold)
        scores |= {f"{kind}_{name}": each for name, each in zip(_COUNTS, counts, strict=True)}
    return Measured({name: tuple(each.tolist()) for name, each in scores.items()}, convergence)


def _counts(changes: Sequence[Changes], threshold: float | None) -> NDArray[np.float64]:
    """Hits, false alarms and misses of each clip, summed over classes, shape (3, clips).

    Without a threshold each class has two: that of every second clip is the best one of the others, so that no clip is
    judged by a threshold that was chosen on it.
    """
    import numpy as np

    from mgcl.metrics.counts import best_threshold, counts_at

    odd = np.arange(len(changes[0].reference)) % 2 == 1
    total = np.zeros((3, len(odd)))
    for each in changes:
        for half in (odd, ~odd):
            chosen = best_threshold(each, ~half) if threshold is None else threshold
            total += half * np.stack(counts_at(each, chosen))
    return total


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column, e.g. "median of 3"."""
    return f"median of {column[0]}"


def heading(setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return f"detection, {setting['classes']} classes"


def caption(setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting, for captions."""
    chosen = (
        "of each class the best one of the other half of the clips, whose events it therefore reads"
        if setting["threshold"] == OTHER_HALF
        else f"a cosine of {setting['threshold']}"
    )
    return (
        f"Events of {setting['classes']} classes. PSDS is over all thresholds (PSDS1_A: without the penalty for "
        "unequal classes); clips count in its intervals by their jackknife values. F1 is over all classes together; "
        f"its threshold is {chosen}. Collar {setting['collar']}, segments of {setting['segment']}."
    )
