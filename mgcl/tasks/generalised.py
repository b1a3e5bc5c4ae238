"""Generalised few-shot recognition of sounding videos: many clips of base classes, a few of novel ones (AV-DIFF).

A recogniser is trained in two stages. Stage 1 takes other novel classes for stage 2's, and chooses epochs, learning
rates and the calibration; no test clip is seen in it. A unit is a draw of the novel classes' shots in stage 2, the same
for every row. The published benchmark is VGGSound-, UCF- and ActivityNet-(G)FSL (Mercea et al. 2023, Table 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.errors import SweepError
from mgcl.records import Value
from mgcl.tasks import Coordinate, Measured, Metric, Setup, Summary, Words, flag
from mgcl.tasks._generalised import parts
from mgcl.tasks._generalised.calibration import harmonic_mean

if TYPE_CHECKING:
    from mgcl.features import FeatureBank

VERSION = 1
METHODS = ("audio_visual",)
GENERATED = "scenes"
READS = ("label", "split", "part")
METRICS = (
    Metric("hm", interval="bootstrap", summary=Summary(("base", "novel"), harmonic_mean)),
    Metric("base"),
    Metric("novel"),
    Metric("fsl"),
    Metric("hm of a draw"),
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


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[Cell, ...]:
    """All cells, ordered by shot and seed.

    Raises:
        SweepError: the bank lacks classes or clips of a part, or ``only`` is given.
    """
    if only:
        raise SweepError("`params`: this task has nothing to search; leave it out")
    if lacking := bank.lacks(READS):
        raise SweepError(
            f"{bank.path}: this bank lacks {', '.join(lacking)}, so its classes are not base and novel ones"
        )
    parts.check(bank, draws.shots)
    counts = parts.counts(bank)
    base, novel = counts[parts.BASE] + counts[parts.NOVEL_VALIDATION], counts[parts.NOVEL_TEST]
    return tuple(Cell(shot, draws.draws, seed, base, novel) for shot in draws.shots for seed in draws.seeds)


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

    epochs = 2 * number("base_epochs") + 2 * (1 + cell.draws) * number("novel_epochs")
    return float(max(1, number("batches") * epochs))


def largest_stack(_setup: Setup) -> int:
    """Return 1: draws are trained one after another."""
    return 1


def run(setup: Setup, _stack: int) -> Measured:
    """Train and test a recogniser."""
    from mgcl.tasks._generalised import curriculum

    return curriculum.run(setup)


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
