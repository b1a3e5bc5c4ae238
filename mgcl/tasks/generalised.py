"""Generalised few-shot recognition of sounding videos: many clips of base classes, a few of novel ones (AV-DIFF).

A recogniser is trained in two stages. Stage 1 takes other novel classes for stage 2's, and chooses epochs, learning
rates and the calibration; no test clip is seen in it. A unit is a draw of the novel classes' shots in stage 2, the same
for every row. The published benchmark is VGGSound-, UCF- and ActivityNet-(G)FSL (Mercea et al. 2023, Table 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.errors import SweepError
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Problem, Setup, Summary, Words, flag
from mgcl.tasks._generalised import parts
from mgcl.tasks._generalised.calibration import harmonic_mean

if TYPE_CHECKING:
    from mgcl.features import FeatureBank

VERSION = 1
METHODS = ("audio_visual",)
GENERATED = "scenes"
READS = ("label", "split", "part")


def _guess(place: Mapping[str, Any]) -> float:
    """Expected recall of a uniform guess among all classes, and so the harmonic mean of two such recalls."""
    return 1.0 / float(place["base_classes"] + place["novel_classes"])


def _guess_of_novel(place: Mapping[str, Any]) -> float:
    return 1.0 / float(place["novel_classes"])


METRICS = (
    Metric("hm", interval="bootstrap", summary=Summary(("base", "novel"), harmonic_mean), chance=_guess),
    Metric("base", chance=_guess),
    Metric("novel", chance=_guess),
    Metric("fsl", chance=_guess_of_novel),
    Metric("hm of a draw", chance=_guess),
)
"""hm: harmonic mean of the mean recalls, as published; base, novel: mean recall of their classes among all classes;
fsl: of novel classes among themselves; hm of a draw: the mean of each draw's harmonic mean."""
COLUMNS = {"shot": Coordinate(int, "clips of a novel class")}
POOLED = {"seed": Coordinate(int)}
SETTING = {
    "draws": Coordinate(int, "of the novel classes' clips, for each seed"),
    "base_classes": Coordinate(int, "classes with many clips"),
    "novel_classes": Coordinate(int, "classes with a few clips"),
}
WORDS = Words(
    unit="draw",
    chance="the draw of the novel classes' clips",
    block="seed",
    blocks_caveat="Draws of one seed share a model of the base classes.",
    devices_caveat=": figures may differ, because training amplifies rounding",
    p_caveat="It is conditional on these classes and test clips: it says whether other draws of the shots would show a "
    "difference.",
    facts={
        "parameters": "trained weights of stage 2's model, a critic's among them",
        "training seconds": "of both stages with all draws, and of stage 1's validation; processor time, or time that "
        "passes on a GPU",
    },
    varying=("training seconds",),
    validation="Validation clips are those of stage 1, which no test holds: values are chosen on stage 1 alone.",
)
PRESETS: Mapping[str, Mapping[str, Value]] = {}


@dataclass(frozen=True)
class Cell(records.Cell):
    """Stage 1 once, and stage 2 with all draws of one shot."""

    shot: int
    draws: int
    seed: int
    """Seed of initialisation, batches and draws."""
    base_classes: int
    """Number of base classes of stage 2."""
    novel_classes: int
    """Number of its novel classes."""


@dataclass(frozen=True)
class Validation(Cell):
    """Stage 1 alone, with all draws of its own novel classes: what a search judges values by."""

    stage: int = 1


@dataclass(frozen=True)
class Test:
    """Stage whose clips are tested or validated."""

    stage: int
    """2: what values are searched for. 1: what they are chosen on."""
    base_classes: int
    novel_classes: int


@dataclass(frozen=True)
class Draws:
    """What a sweep draws: every shot with every seed."""

    task: ClassVar[str] = "generalised"

    shots: tuple[int, ...] = flag("clips of a novel class", "K", (1, 5, 10))
    seeds: tuple[int, ...] = flag("each trains other models on other draws", "S", (0, 1, 2), name="seed")
    draws: int = flag("draws of the novel classes' clips a seed", "D", 3)

    def __post_init__(self) -> None:
        for name, values in {"shots": self.shots, "draws": (self.draws,)}.items():
            if min(values, default=1) < 1:
                raise SweepError(f"`{name}` {min(values)}: choose 1 or more")


def _published(dataset: str, cell: Cell) -> Mapping[str, Value]:
    from mgcl.methods.audio_visual._published import published_settings

    return published_settings(dataset, cell.shot)


SETTINGS = {"published": _published}
"""Full-size settings of AV-DIFF by data set and shot; baselines take the values of the options that they share."""


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Test] | None = None) -> tuple[Cell, ...]:
    """All cells, ordered by shot and seed; those of stage 1 alone if ``only`` is a problem's validation.

    Raises:
        SweepError: the bank lacks classes or clips of a part.
    """
    check(draws, bank)
    test, validation = stages(bank)
    stage = validation if only and validation in only else test
    kind = Validation if stage is validation else Cell
    return tuple(
        kind(shot, draws.draws, seed, stage.base_classes, stage.novel_classes)
        for shot in draws.shots
        for seed in draws.seeds
    )


def stages(bank: FeatureBank) -> tuple[Test, Test]:
    """Stage 2, which is tested, and stage 1, on which values are chosen."""
    base, novel_validation, novel_test = (parts.counts(bank)[part] for part in parts.PARTS)
    return Test(2, base + novel_validation, novel_test), Test(1, base, novel_validation)


def check(draws: Draws, bank: FeatureBank) -> None:
    """Refuse a bank that lacks classes or clips of a part.

    Raises:
        SweepError: it does; names what is lacking.
    """
    if lacking := bank.lacks(READS):
        raise SweepError(
            f"{bank.path}: this bank lacks {', '.join(lacking)}, so its classes are not base and novel ones"
        )
    parts.check(bank, draws.shots)


def unfit(_cell: Cell, _parameters: Any) -> str:
    """Return "": every recogniser can run every cell."""
    return ""


def place(cell: Cell) -> dict[str, Value]:
    """Name -> value of all coordinates of a cell."""
    return {
        "shot": cell.shot,
        "seed": cell.seed,
        "draws": cell.draws,
        "base_classes": cell.base_classes,
        "novel_classes": cell.novel_classes,
    }


def work(cell: Cell, parameters: Mapping[str, Value]) -> float:
    """Number of batches that a trial trains on, one at least."""

    def number(name: str) -> int:
        found = parameters.get(name)
        return found if isinstance(found, int) else 0

    stages, novel = (1, cell.draws) if isinstance(cell, Validation) else (2, 1 + cell.draws)
    epochs = stages * number("base_epochs") + 2 * novel * number("novel_epochs")
    return float(max(1, number("batches") * epochs))


def largest_stack(_setup: Setup) -> int:
    """Return 1: draws are trained one after another."""
    return 1


def run(setup: Setup, _stack: int) -> Measured:
    """Train and test a recogniser, or train and validate it in stage 1."""
    from mgcl.tasks._generalised import curriculum

    return (curriculum.validate if isinstance(setup.trial.cell, Validation) else curriculum.run)(setup)


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column, e.g. "5-shot"."""
    return f"{column[0]}-shot"


def ceilings(dataset: str, revision: str) -> Mapping[str, Mapping[str, float]]:
    """What recognisers with a limited view could score, for generated scenes; see ``mgcl.tasks.Bounded``."""
    from mgcl.data.scenes import clips_of, oracle

    clips = clips_of(dataset, revision)
    found = oracle.ceilings(clips) if clips else {}
    return {
        view: {"hm": each.harmonic_mean, "base at it": each.base, "novel at it": each.novel, "fsl": each.novel_alone}
        for view, each in found.items()
    }


def heading(setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return f"{setting['base_classes']} base and {setting['novel_classes']} novel classes, {setting['draws']} draws"


def caption(setting: Mapping[str, Value], pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting and the pooled seeds, for captions."""
    return (
        f"{setting['base_classes']} base and {setting['novel_classes']} novel classes; {setting['draws']} draws of the "
        f"novel classes' clips a seed, seeds: {', '.join(map(str, pooled['seed']))}."
    )


TESTS, APART = "tests", "shot"
BATCHES = ("seeds", "draws")


def problems(draws: Draws, bank: FeatureBank, *, shared: bool) -> tuple[Problem, ...]:  # noqa: ARG001
    """One problem: values are chosen on stage 1's validation clips, and tested in stage 2.

    Args:
        draws: the search's draws.
        bank: the feature bank.
        shared: makes no difference to a single problem.

    Raises:
        SweepError: the bank lacks classes or clips of a part.
    """
    check(draws, bank)
    test, validation = stages(bank)
    return (Problem((test,), validation),)


def apart(draws: Draws) -> tuple[Value, ...]:
    """The shots of ``draws``."""
    return draws.shots


def batch(draws: Draws, number: int, apart: Value) -> Draws:
    """Draws of one batch: its number is the seed."""
    shots = tuple(shot for shot in draws.shots if apart in (None, shot))
    return replace(draws, shots=shots, seeds=(number,))


def tested(cell: Cell) -> Test:
    """Stage 2, with its numbers of classes."""
    return Test(2, cell.base_classes, cell.novel_classes)


def study_name(_tests: Sequence[Test], apart: Value) -> tuple[str, ...]:
    """Words for a study: ("stage 1",), or ("stage 1", "5-shot") if shots have separate studies."""
    return ("stage 1",) if apart is None else ("stage 1", f"{apart}-shot")
