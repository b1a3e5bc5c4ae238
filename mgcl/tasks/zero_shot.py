"""Zero-shot classification of every clip of a bank among all classes, from sentences only, without support clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.details import Confusion
from mgcl.errors import SweepError
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Setup, Words, flag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mgcl.features import FeatureBank

VERSION = 1
METHODS = ("few_shot", "zero_shot")
GENERATED = "soundscapes"
READS = ("label", "clip", "segments", "prompt", "explanations")
METRICS = (Metric("accuracy", interval="bootstrap"),)
COLUMNS = {"texts": Coordinate(str, "what describes a class")}
POOLED: Mapping[str, Coordinate] = {}
SETTING = {"classes": Coordinate(int, "that a clip may be of: all of the bank's")}
WORDS = Words(
    unit="clip",
    devices_caveat=": accuracies may differ by one query in 1,000",
    p_caveat="It is conditional on these classes: it says whether other clips of them would show a difference.",
)
PRESETS: Mapping[str, Mapping[str, Value]] = {}

TEXTS = ("prompt", "explanations")
_CLIPS_AT_ONCE = 1024


@dataclass(frozen=True)
class Cell(records.Cell):
    """All clips of a bank."""

    texts: str
    """"prompt": each class's prompt; "explanations": the mean of its explanations' unit vectors."""
    classes: int


@dataclass(frozen=True)
class Draws:
    """Kinds of texts that describe the classes; nothing is drawn at random."""

    task: ClassVar[str] = "zero_shot"

    texts: tuple[str, ...] = flag("what describes a class: prompt, explanations", "NAME", TEXTS)

    def __post_init__(self) -> None:
        for each in self.texts:
            if each not in TEXTS:
                raise SweepError(f"`texts` {each}: choose {' or '.join(TEXTS)}")


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """One cell per kind of texts.

    Raises:
        SweepError: ``only`` is given; this task has nothing to search.
    """
    if only:
        raise SweepError("`params`: zero-shot classification has nothing to search; leave it out")
    return tuple(Cell(texts, len(bank.row_of_class)) for texts in draws.texts)


def unfit(cell: Cell, parameters: Any) -> str:
    """Reason to leave out a method that learns from clips, of which this task has none; empty if it can run.

    A method that names its class texts runs in the first column, whose other rows read one sentence per class too.
    """
    if getattr(parameters, "least_shots", 1):
        return "learns from labelled clips: left out"
    named = getattr(parameters, "texts", None)
    if named == "":
        return "names no class texts: left out"
    return f"has class texts of its own: left out at {cell.texts}" if named and cell.texts != TEXTS[0] else ""


def place(cell: Cell) -> dict[str, Value]:
    """Name -> value of all coordinates of a cell."""
    return {"texts": cell.texts, "classes": cell.classes}


def work(_cell: Cell, _parameters: Mapping[str, Value]) -> float:
    """Constant, because all cells of a bank take the same time."""
    return 1.0


def largest_stack(_setup: Setup) -> int:
    """Number of clips to compute together."""
    return _CLIPS_AT_ONCE


def run(setup: Setup, stack: int) -> Measured:
    """Classify every clip, ``stack`` at a time; a tie goes to the first class.

    Raises:
        FloatingPointError: a logit is not finite.
        SweepError: the protocol's accuracy is over folds, and a clip has none.
    """
    import numpy as np

    from mgcl.tasks import _class_texts as class_texts

    bank, labels = setup.bank, list(setup.bank.row_of_class)
    truth = np.array([bank.row_of_class[clip.label] for clip in bank.clip_records])
    support = class_texts.described(bank, class_texts.texts_of(setup.parameters, setup.trial.cell.texts), setup.device)
    clips = class_texts.clips_of(setup, stack)
    answered, convergence = class_texts.logits(setup, support, clips, kept=lambda part: part.argmax(-1))
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (truth, answered), 1)
    confusion = Confusion(tuple(labels), tuple(tuple(map(int, row)) for row in counts))
    scores = (truth == answered) * _weights(bank)
    return Measured({"accuracy": tuple(scores.astype(float).tolist())}, convergence, (confusion,))


def _weights(bank: FeatureBank) -> NDArray[np.float64]:
    """Weight of each clip, 1 on average: where the data set's protocol is over folds, every fold weighs the same.

    The mean of the weighted scores is then the mean of the folds' accuracies, however many clips a fold has.
    """
    import numpy as np

    if not bank.header.mean_over_folds:
        return np.ones(len(bank.clips))
    folds = [clip.fold for clip in bank.clip_records if clip.fold is not None]
    if len(folds) < len(bank.clips):
        raise SweepError(f"{bank.path}: its accuracy is the mean over folds, and a clip has no fold; extract it again")
    _, place, sizes = np.unique(folds, return_inverse=True, return_counts=True)
    return np.asarray(len(folds) / (len(sizes) * sizes[place]))


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column: "prompt" or "explanations"."""
    return str(column[0])


def heading(setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return f"zero-shot, {setting['classes']} classes"


def caption(setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting, for captions."""
    return f"Zero-shot classification of every clip among all {setting['classes']} classes of the bank."
