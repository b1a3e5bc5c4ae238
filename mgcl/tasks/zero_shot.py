"""Zero-shot classification: every clip of a bank against every class, by sentences alone; no clip is learnt from."""

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
    """Nothing is drawn: what varies is what describes a class."""

    task: ClassVar[str] = "zero_shot"

    texts: tuple[str, ...] = flag("what describes a class: prompt, explanations", "NAME", TEXTS)

    def __post_init__(self) -> None:
        for each in self.texts:
            if each not in TEXTS:
                raise SweepError(f"`texts` {each}: choose {' or '.join(TEXTS)}")


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """One cell for each kind of sentences.

    Raises:
        SweepError: ``only`` is given; values that a search chose are of other tasks.
    """
    if only:
        raise SweepError("`params`: zero-shot classification has nothing to search; leave it out")
    return tuple(Cell(texts, len(bank.row_of_class)) for texts in draws.texts)


def unfit(_cell: Cell, parameters: Any) -> str:
    """A method that learns from clips is left out: there are none to learn from."""
    return "learns from labelled clips: left out" if getattr(parameters, "least_shots", 1) else ""


def place(cell: Cell) -> dict[str, Value]:
    """The value of every coordinate."""
    return {"texts": cell.texts, "classes": cell.classes}


def work(_cell: Cell, _parameters: Mapping[str, Value]) -> float:
    """All cells of a bank are alike."""
    return 1.0


def largest_stack(_setup: Setup) -> int:
    """Clips to compute together."""
    return _CLIPS_AT_ONCE


def run(setup: Setup, stack: int) -> Measured:
    """Score every clip, ``stack`` at once; a tie goes to the first class."""
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
    """What stands above a column."""
    return str(column[0])


def heading(setting: Mapping[str, Value]) -> str:
    """A setting in a few words."""
    return f"zero-shot, {setting['classes']} classes"


def caption(setting: Mapping[str, Value], _pooled: Mapping[str, Sequence[Value]]) -> str:
    """A setting as a sentence."""
    return f"Zero-shot classification of every clip among all {setting['classes']} classes of the bank."


def _support(setup: Setup) -> Support:
    """The classes, and no clip."""
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
