"""Zero-shot classification of clips that may have several classes or none: mean average precision over the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.errors import SweepError
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Setup, Words
from mgcl.tasks._text_rows import unfit as unfit

if TYPE_CHECKING:
    from mgcl.features import FeatureBank

VERSION = 1
METHODS = ("few_shot", "zero_shot")
GENERATED = "soundscape_tags"
READS = ("labels", "clip", "segments")
METRICS = (Metric("mAP", interval="bootstrap"),)
COLUMNS = {"classes": Coordinate(int, "with a clip: a clip may have several of them, or none")}
POOLED: Mapping[str, Coordinate] = {}
SETTING: Mapping[str, Coordinate] = {}
WORDS = Words(
    unit="clip",
    devices_caveat=": figures may differ in the last digit",
    p_caveat="A clip's number is its share of the figure (jackknife). The test is conditional on these classes: it "
    "says whether other clips of them would show a difference.",
)
PRESETS: Mapping[str, Mapping[str, Value]] = {}

_CLIPS_AT_ONCE = 1024


@dataclass(frozen=True)
class Cell(records.Cell):
    """All clips of a bank."""

    classes: int
    """Number of classes that a clip of the bank has."""


@dataclass(frozen=True)
class Draws:
    """Nothing is drawn."""

    task: ClassVar[str] = "multi_label"


def cells(_draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """One cell.

    Raises:
        SweepError: ``only`` is given; or the bank has no labels, or fewer than two clips.
    """
    if only:
        raise SweepError("`params`: zero-shot classification has nothing to search; leave it out")
    if bank.lacks(["labels"]):
        raise SweepError(f"{bank.path}: this bank lacks labels, where a clip may have several; name another")
    found = {label for each in bank.labels for label in each}
    if not found or len(bank.clips) < 2:
        raise SweepError(f"{bank.path}: needs two clips and a label; name another bank")
    return (Cell(len(found)),)


def place(cell: Cell) -> dict[str, Value]:
    """Name -> value of all coordinates of a cell."""
    return {"classes": cell.classes}


def work(cell: Cell, _parameters: Mapping[str, Value]) -> float:
    """Number of classes: each is ranked by itself."""
    return float(cell.classes)


def largest_stack(_setup: Setup) -> int:
    """Number of clips to compute together."""
    return _CLIPS_AT_ONCE


def run(setup: Setup, stack: int) -> Measured:
    """Rank all clips by their logit for each class. A clip's score is its share of the figure (``jackknife``).

    Raises:
        FloatingPointError: a logit is not finite.
    """
    import numpy as np

    from mgcl.metrics.jackknife import jackknife
    from mgcl.metrics.ranking import average_precision, mean_over_classes
    from mgcl.tasks import _class_texts as class_texts

    bank = setup.bank
    support = class_texts.described(bank, class_texts.texts_of(setup.parameters), setup.device)
    logits, convergence = class_texts.logits(setup, support, class_texts.clips_of(setup, stack))
    truth = np.zeros(logits.shape, bool)
    for row, labels in enumerate(bank.labels):
        truth[row, [bank.row_of_class[label] for label in labels]] = True
    scores = jackknife(lambda weights: mean_over_classes(average_precision(logits, truth, weights)), len(truth))
    return Measured({"mAP": tuple(scores.tolist())}, convergence)


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column, e.g. "200 classes"."""
    return f"{column[0]} classes"


def heading(_setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return "zero-shot, several labels a clip"


def caption(_setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting, for captions."""
    return (
        "Average precision of each class over all clips of the bank, and its mean over the classes that a clip has; "
        "clips count in the intervals by their jackknife values."
    )
