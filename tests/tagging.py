"""A second family of tasks, for tests alone: every clip is given all labels whose logit is near the highest.

Its figures are ratios of sums over clips, and the one that is ranked is the lower, the better. Its draws, cells,
columns and searches share no name with few-shot's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mgcl import records
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Problem, Setup, Summary, Words, flag

if TYPE_CHECKING:
    from mgcl.features import FeatureBank

COUNTS = ("hits", "false_alarms", "misses")


def error_rate(means):
    """False alarms and misses per label that there is."""
    hits, false_alarms, misses = np.moveaxis(means, -1, 0)
    return (false_alarms + misses) / np.maximum(hits + misses, 1e-12)


def micro_f1(means):
    """2 hits / (2 hits + false alarms + misses)."""
    hits, false_alarms, misses = np.moveaxis(means, -1, 0)
    return 2 * hits / np.maximum(2 * hits + false_alarms + misses, 1e-12)


VERSION = 1
METHODS = ("few_shot",)
GENERATED = "soundscapes"
READS = ("label", "clip", "segments", "prompt", "explanations")
METRICS = (
    Metric("error rate", "", False, 3, "bootstrap", Summary(COUNTS, error_rate)),
    Metric("micro-F1", interval="bootstrap", decimals=1, summary=Summary(COUNTS, micro_f1)),
    Metric("false_alarms", "", False, 1, "bootstrap"),
)
COLUMNS = {"known": Coordinate(int, "clips that are learnt from")}
POOLED: Mapping[str, Coordinate] = {}
SETTING = {"part": Coordinate(str, "of the classes"), "margin": Coordinate(int, "below the highest logit")}
WORDS = Words(unit="clip")
PRESETS: Mapping[str, Mapping[str, Value]] = {}


@dataclass(frozen=True)
class Part:
    """Some classes."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Cell(records.Cell):
    """All clips of a part's classes but those that are learnt from."""

    part: Part
    known: int
    margin: int


@dataclass(frozen=True)
class Draws:
    """How many clips are learnt from."""

    task: ClassVar[str] = "tagging"

    known: tuple[int, ...] = flag("clips that are learnt from", "N", (2, 4))
    margin: int = flag("below the highest logit", "M", 2)


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Part] | None = None) -> tuple[Cell, ...]:
    parts = only or (Part("all", tuple(bank.row_of_class)),)
    return tuple(Cell(part, known, draws.margin) for part in parts for known in draws.known)


def unfit(_cell: Cell, _parameters: Any) -> str:
    return ""


def place(cell: Cell) -> dict[str, Value]:
    return {"known": cell.known, "part": cell.part.name, "margin": cell.margin}


def work(cell: Cell, _parameters: Mapping[str, Value]) -> float:
    return float(len(cell.part.labels))


def largest_stack(_setup: Setup) -> int:
    return 1


def rows(cell: Cell, bank: FeatureBank) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of clips that are learnt from, of those that are tagged, and the latter's labels."""
    of_label = [
        [row for row, clip in enumerate(bank.clip_records) if clip.label == label] for label in cell.part.labels
    ]
    known = np.array([each[: cell.known] for each in of_label]).ravel()
    tagged = np.array([each[cell.known :] for each in of_label])
    return known, tagged.ravel(), np.repeat(np.arange(len(of_label)), tagged.shape[1])


def run(setup: Setup, _stack: int) -> Measured:
    import torch

    from mgcl.methods.method import Support
    from mgcl.tasks._features import clip_features, units

    bank, cell, device = setup.bank, setup.trial.cell, setup.device
    known, tagged, labels = rows(cell, bank)
    classes = [bank.row_of_class[label] for label in cell.part.labels]
    support = Support(
        clip_features(bank, known, device),
        torch.arange(len(classes)).repeat_interleave(cell.known),
        units(bank.prompt_embeddings[classes], device),
        units(bank.explanation_embeddings[classes], device),
        bank.header.logit_scale,
        torch.zeros((), dtype=torch.int64),
    )
    fitted = setup.method.fit(support, setup.parameters)
    logits = setup.method.predict(fitted, clip_features(bank, tagged, device)).logits.numpy()
    given = logits >= logits.max(1, keepdims=True) - cell.margin
    true = labels[:, None] == np.arange(len(classes))
    counts = (given & true, given & ~true, ~given & true)
    return Measured({name: tuple(map(float, each.sum(1))) for name, each in zip(COUNTS, counts, strict=True)})


def column_name(column: Sequence[Value]) -> str:
    return f"{column[0]}-known"


def heading(setting: Mapping[str, Value]) -> str:
    return f"part {setting['part']}, margin {setting['margin']}"


def caption(setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    return f"Every clip of part {setting['part']}, margin {setting['margin']}."


Test, TESTS, APART, BATCHES = Part, "parts", "known", ()


def problems(_draws: Draws, bank: FeatureBank, *, shared: bool) -> tuple[Problem, ...]:  # noqa: ARG001
    labels = tuple(bank.row_of_class)
    halves = Part("even", labels[::2]), Part("odd", labels[1::2])
    return (Problem(halves[:1], halves[1]),)


def apart(draws: Draws) -> tuple[Value, ...]:
    return draws.known


def batch(draws: Draws, number: int, apart: Value) -> Draws:
    """Each with a margin of its own."""
    return changed(draws, margin=draws.margin + number, known=draws.known if apart is None else (apart,))


def tested(cell: Cell) -> Part:
    return cell.part


def study_name(tests: Sequence[Part], apart: Value) -> tuple[str, ...]:
    return (tests[0].name, *([] if apart is None else [f"{apart}-known"]))
