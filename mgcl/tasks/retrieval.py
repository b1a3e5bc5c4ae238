"""Retrieval of clips by captions, and of captions by clips: recall and mean average precision, in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.errors import SweepError
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Setup, Words, flag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mgcl.features import FeatureBank

VERSION = 1
METHODS = ("zero_shot",)
GENERATED = "soundscape_captions"
READS = ("captions", "clip", "segments")
_RANKS = (1, 5, 10)
METRICS = (
    *(Metric(f"recall at {k}", interval="bootstrap") for k in _RANKS),
    Metric("mAP at 10", interval="bootstrap"),
)
COLUMNS = {"direction": Coordinate(str, "what is searched for, by what")}
POOLED: Mapping[str, Coordinate] = {}
SETTING = {
    "clips": Coordinate(int, "that are ranked"),
    "captions": Coordinate(int, "of all these clips"),
}
WORDS = Words(
    unit="clip",
    devices_caveat=": figures may differ by one query in 1,000",
    p_caveat="It is conditional on these clips being the ones that are ranked.",
)
PRESETS: Mapping[str, Mapping[str, Value]] = {}

DIRECTIONS = ("text-to-audio", "audio-to-text")
_QUERIES_AT_ONCE = 512


@dataclass(frozen=True)
class Cell(records.Cell):
    """All clips and captions of a bank."""

    direction: str
    """"text-to-audio": each caption is a query, and its clip is relevant; "audio-to-text": the reverse."""
    clips: int
    captions: int


@dataclass(frozen=True)
class Draws:
    """Directions; nothing is drawn at random."""

    task: ClassVar[str] = "retrieval"

    directions: tuple[str, ...] = flag("text-to-audio, audio-to-text", "NAME", DIRECTIONS)

    def __post_init__(self) -> None:
        for each in self.directions:
            if each not in DIRECTIONS:
                raise SweepError(f"`directions` {each}: choose {' or '.join(DIRECTIONS)}")


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """One cell per direction.

    Raises:
        SweepError: ``only`` is given; or a clip of the bank has no caption.
    """
    if only:
        raise SweepError("`params`: retrieval has nothing to search; leave it out")
    if bank.lacks(["captions"]):
        raise SweepError(f"{bank.path}: this bank lacks captions for retrieval; name another")
    lengths = bank.ragged("captions").lengths
    if not lengths.all():
        clip = bank.clips["clip_id"][int(lengths.argmin())].as_py()
        raise SweepError(f"{bank.path}: clip {clip!r} has no caption; leave it out of the bank")
    return tuple(Cell(direction, len(lengths), int(lengths.sum())) for direction in draws.directions)


def unfit(_cell: Cell, parameters: Any) -> str:
    """Reason to leave out a method that reads class texts, of which this task has none; empty if it can run."""
    return "reads class texts: left out" if getattr(parameters, "texts", None) != "" else ""


def place(cell: Cell) -> dict[str, Value]:
    """Name -> value of all coordinates of a cell."""
    return {"direction": cell.direction, "clips": cell.clips, "captions": cell.captions}


def work(cell: Cell, _parameters: Mapping[str, Value]) -> float:
    """Number of pairs."""
    return float(cell.clips * cell.captions)


def largest_stack(_setup: Setup) -> int:
    """Number of queries to rank together."""
    return _QUERIES_AT_ONCE


def run(setup: Setup, stack: int) -> Measured:
    """Rank all items for every query, ``stack`` queries at a time; a tie goes to what is not relevant.

    A clip's score is that of its query, or the mean over its captions times their number by the mean number, so that
    the mean over clips is the mean over queries, and captions of one clip are not taken for independent.

    Raises:
        FloatingPointError: a similarity is not finite.
    """
    import numpy as np

    from mgcl.metrics.ranking import average_precision_at, ranked, recall_at
    from mgcl.tasks import _class_texts as class_texts
    from mgcl.tasks._features import units

    bank, by_text = setup.bank, setup.trial.cell.direction == DIRECTIONS[0]
    captions = bank.ragged("captions")
    owner = np.repeat(np.arange(len(captions.lengths)), captions.lengths)
    vectors = captions.values[captions.offsets[0] : captions.offsets[-1]]
    sentences = units(np.asarray(vectors, np.float32), setup.device)
    support = class_texts.with_sentences(bank, sentences, sentences[:, None])
    logits, convergence = class_texts.logits(setup, support, class_texts.clips_of(setup, stack))
    similarities, clip = (logits.T, owner) if by_text else (logits, np.arange(len(captions.lengths)))
    items = np.arange(len(captions.lengths)) if by_text else owner
    found: dict[str, list[NDArray[np.float64]]] = {metric.name: [] for metric in METRICS}
    for start in range(0, len(clip), stack):
        listed = ranked(similarities[start : start + stack], clip[start : start + stack, None] == items)
        for k in _RANKS:
            found[f"recall at {k}"].append(recall_at(listed, k))
        found["mAP at 10"].append(average_precision_at(listed, 10))
    clips = len(captions.lengths)
    scores = {name: np.bincount(clip, np.concatenate(each), clips) * clips / len(clip) for name, each in found.items()}
    return Measured({name: tuple(each.tolist()) for name, each in scores.items()}, convergence)


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column: "text-to-audio" or "audio-to-text"."""
    return str(column[0])


def heading(setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return f"retrieval, {setting['clips']} clips and {setting['captions']} captions"


def caption(setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting, for captions."""
    return (
        f"{setting['captions']} captions of {setting['clips']} clips; every caption is a query for its clip, and every "
        "clip for its captions. Of items that are equally similar the wrong ones come first."
    )
