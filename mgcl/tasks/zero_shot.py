"""Zero-shot classification of every clip of a bank among all classes, from sentences only, without support clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.errors import SweepError
from mgcl.records import NO_TRANSPORT, Confusion, Value
from mgcl.tasks import Coordinate, Measured, Metric, Setup, Words, flag

if TYPE_CHECKING:
    from mgcl.features import FeatureBank
    from mgcl.methods.method import Support

VERSION = 1
METHODS = "few_shot"
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


def unfit(_cell: Cell, parameters: Any) -> str:
    """Reason to leave out a method that learns from clips, of which this task has none; empty if it can run."""
    return "learns from labelled clips: left out" if getattr(parameters, "least_shots", 1) else ""


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
    """
    import numpy as np

    from mgcl.tasks._features import clip_features

    bank, labels = setup.bank, list(setup.bank.row_of_class)
    truth = np.array([bank.row_of_class[clip.label] for clip in bank.clip_records])
    fitted = setup.method.fit(_support(setup), setup.parameters)
    rows, answers, convergence = np.arange(len(truth)), [], NO_TRANSPORT
    for start in range(0, len(truth), stack):
        prediction = setup.method.predict(fitted, clip_features(bank, rows[start : start + stack], setup.device))
        if not prediction.logits.isfinite().all():
            raise FloatingPointError(f"clips from {start}: a logit is not finite")
        answers.append(prediction.logits.argmax(-1).cpu().numpy())
        convergence += prediction.convergence
    answered = np.concatenate(answers)
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (truth, answered), 1)
    confusion = Confusion(tuple(labels), tuple(tuple(map(int, row)) for row in counts))
    return Measured({"accuracy": tuple((truth == answered).astype(float).tolist())}, convergence, (confusion,))


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column: "prompt" or "explanations"."""
    return str(column[0])


def heading(setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return f"zero-shot, {setting['classes']} classes"


def caption(setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting, for captions."""
    return f"Zero-shot classification of every clip among all {setting['classes']} classes of the bank."


def _support(setup: Setup) -> Support:
    """Support with the texts of all classes and without clips."""
    import numpy as np
    import torch

    from mgcl.methods.method import Support
    from mgcl.tasks._features import clip_features, units
    from mgcl.transport.cost import unit

    bank, device = setup.bank, setup.device
    cell: Cell = setup.trial.cell
    explanations = units(bank.floats("explanations"), device)
    prompts = units(bank.floats("prompt"), device) if cell.texts == "prompt" else unit(explanations.mean(-2))
    labels = torch.zeros(0, dtype=torch.int64, device=device)
    seed = torch.zeros((), dtype=torch.int64, device=device)
    return Support(
        clip_features(bank, np.arange(0), device), labels, prompts, explanations, bank.header.logit_scale, seed
    )
