"""Zero-shot classification: every clip of a bank against every class, by sentences alone; no clip is learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mgcl import records
from mgcl.errors import SearchError, SweepError
from mgcl.records import NO_TRANSPORT, Confusion, Value
from mgcl.tasks import Coordinate, Measured, Metric, Problem, Setup, Words, flag

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from mgcl.features import FeatureBank
    from mgcl.methods.method import ClipFeatures, Support

VERSION = 1
READS = ("label", "clip", "segments", "prompt", "explanations")
METRICS = (Metric("accuracy"),)
COLUMNS = {"sentences": Coordinate(str, "what describes a class")}
POOLED: Mapping[str, Coordinate] = {}
SETTING = {"classes": Coordinate(int, "that a clip may be of: all of the bank's")}
WORDS = Words(
    unit="clip",
    p_caveat="It is conditional on these classes: it says whether other clips of them would show a difference.",
)
INTERVAL: Literal["t", "bootstrap"] = "bootstrap"
PRESETS: Mapping[str, Mapping[str, Value]] = {}

SENTENCES = ("prompt", "explanations")
_CLIPS_AT_ONCE = 1024


@dataclass(frozen=True)
class Cell(records.Cell):
    """All clips of a bank."""

    sentences: str
    """"prompt": each class's prompt; "explanations": the mean of its explanations' unit vectors."""
    classes: int


@dataclass(frozen=True)
class Draws:
    """Nothing is drawn: what varies is what describes a class."""

    task: ClassVar[str] = "zero_shot"

    sentences: tuple[str, ...] = flag("what describes a class: prompt, explanations", "NAME", SENTENCES)

    def __post_init__(self) -> None:
        for each in self.sentences:
            if each not in SENTENCES:
                raise SweepError(f"`sentences` {each}: choose {' or '.join(SENTENCES)}")


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """One cell for each kind of sentences.

    Raises:
        SweepError: ``only`` is given; values that a search chose are of other tasks.
    """
    if only:
        raise SweepError("`params`: zero-shot classification has nothing to search; leave it out")
    return tuple(Cell(sentences, len(bank.row_of_class)) for sentences in draws.sentences)


def unfit(_cell: Cell, parameters: Any) -> str:
    """A method may learn from clips."""
    return "learns from labelled clips: left out" if getattr(parameters, "least_shots", 1) else ""


def place(cell: Cell) -> dict[str, Value]:
    """The value of every coordinate."""
    return {"sentences": cell.sentences, "classes": cell.classes}


def work(_cell: Cell, _epochs: int) -> float:
    """All cells of a bank are alike."""
    return 1.0


def largest_stack(_setup: Setup) -> int:
    """Clips to compute together."""
    return _CLIPS_AT_ONCE


def run(setup: Setup, stack: int) -> Measured:
    """Score every clip, ``stack`` at once; a tie goes to the first class."""
    import numpy as np

    bank, labels = setup.bank, list(setup.bank.row_of_class)
    truth = np.array([bank.row_of_class[clip.label] for clip in bank.clip_records])
    fitted = setup.method.fit(_support(setup), setup.parameters)
    answers, convergence = [], NO_TRANSPORT
    for start in range(0, len(truth), stack):
        prediction = setup.method.predict(fitted, _clips(setup, np.arange(start, min(start + stack, len(truth)))))
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


def problems(_draws: Draws, _bank: FeatureBank, *, shared: bool) -> tuple[Problem, ...]:  # noqa: ARG001
    """None.

    Raises:
        SearchError: always.
    """
    raise SearchError("zero-shot classification has nothing to search: its methods learn nothing")


def _support(setup: Setup) -> Support:
    """The classes, and no clip."""
    import numpy as np
    import torch

    from mgcl.methods.method import Support
    from mgcl.transport import unit

    bank, device = setup.bank, setup.device
    cell: Cell = setup.trial.cell
    explanations = _units(bank.explanation_embeddings, device)
    prompts = _units(bank.prompt_embeddings, device) if cell.sentences == "prompt" else unit(explanations.mean(-2))
    labels = torch.zeros(0, dtype=torch.int64, device=device)
    seed = torch.zeros((), dtype=torch.int64, device=device)
    return Support(_clips(setup, np.arange(0)), labels, prompts, explanations, bank.header.logit_scale, seed)


def _clips(setup: Setup, rows: NDArray[Any]) -> ClipFeatures:
    from mgcl.methods.method import ClipFeatures

    bank, device = setup.bank, setup.device
    captions = bank.caption_embeddings
    return ClipFeatures(
        segments=_units(bank.segment_embeddings[rows], device),
        clip=_units(bank.clip_embeddings[rows], device),
        caption=None if captions is None else _units(captions[rows], device),
        rows=rows,
    )


def _units(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    import torch

    from mgcl.transport import unit

    return unit(torch.tensor(array, device=device))  # a copy: the bank is read-only
