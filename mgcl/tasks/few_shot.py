"""N-way K-shot episodes: a few labelled clips of each of N classes, and query clips (MGCL Tables 1-5)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from mgcl import records
from mgcl.data._episodes import SPLITS, VERSION, check_drawable
from mgcl.data._splits import PROTOCOLS, folds
from mgcl.details import Confusion
from mgcl.errors import SweepError
from mgcl.records import Fold, Value
from mgcl.tasks import Coordinate, Measured, Metric, Problem, Setup, Words, flag
from mgcl.tasks._development import development
from mgcl.tasks._pools import pooled

if TYPE_CHECKING:
    from mgcl.features import FeatureBank

__all__ = ["VERSION"]

METHODS = ("few_shot",)
GENERATED = "soundscapes"
READS = ("label", "clip", "segments")
METRICS = (Metric("accuracy"),)
COLUMNS = {"way": Coordinate(int, "classes an episode"), "shot": Coordinate(int, "support clips a class")}
POOLED = {"fold": Coordinate(int), "seed": Coordinate(int)}
SETTING = {
    "folds": Coordinate(str, "class subsets that episodes are drawn from, and the classes in each"),
    "split": Coordinate(
        str, "clip: query and support clips may share a recording; source: they may not; fold: folds of clips"
    ),
    "queries": Coordinate(int, "query clips a class"),
    "episodes": Coordinate(int, "a fold and seed"),
}
WORDS = Words(
    unit="episode",
    block="fold",
    devices_caveat=": accuracies may differ by one query in 1,000",
    blocks_caveat="Folds share classes, so it is approximate and likely too short.",
    p_caveat="It is conditional on these recordings and class subsets: episodes reuse clips, so it says whether other "
    "episodes of them would show a difference, not whether other recordings would.",
    validation="Validation episodes hold classes that no test episode holds.",
)
ALL = 0
"""Way that stands for all classes of a bank."""
PRESETS: Mapping[str, Mapping[str, Any]] = {
    **{name: {"folds": count, "fold_classes": size} for name, (count, size) in PROTOCOLS.items()},
    "palm": {"ways": (ALL,), "shots": (16,), "queries": 8, "episodes": 5, "seeds": (0, 1, 2), "split": "fold"},
    "maeb": {"ways": (ALL,), "shots": (8,), "episodes": 10},
}
"""treff: the published class subsets; mgcl: five seeded subsets of 15 classes, for 12-way episodes of FSDKaggle18.

palm: all classes of ESC-50 and its five folds of clips, 16 shots, three seeds (arXiv 2409.19806). maeb: all classes,
8 shots, ten draws, meant for logistic regression (arXiv 2602.16008).
"""


@dataclass(frozen=True)
class Cell(records.Cell):
    """Episodes of one fold, way, shot and seed."""

    older_than_tasks: ClassVar[bool] = True

    fold: Fold
    way: int
    shot: int
    queries: int
    episodes: int
    seed: int
    split: str
    """"clip"; "source": no recording is in both the support and the query set; "fold": query clips are of one of the
    data set's own folds of clips, support clips of the others."""


@dataclass(frozen=True)
class Draws:
    """Which episodes a sweep draws: every fold at every way, shot and seed."""

    task: ClassVar[str] = "few_shot"

    ways: tuple[int, ...] = flag("classes an episode; 0: all of the bank", "N")
    shots: tuple[int, ...] = flag("support clips a class", "K")
    queries: int = flag("query clips a class", "Q", 30)
    episodes: int = flag("episodes a trial", "E", 100)
    seeds: tuple[int, ...] = flag("each draws other episodes", "S", (0,), name="seed")
    split: str = flag(
        "clip, as in the papers; source: no recording on both sides; fold: queries of one fold of clips",
        "clip|source|fold",
        "clip",
    )
    folds: int | None = flag("seeded class subsets to draw instead of the data set's own", "N", None)
    fold_classes: int | None = flag("classes in each of them", "M", None)

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise SweepError(f"`split` {self.split}: choose {' or '.join(SPLITS)}")
        if ALL in self.ways and (len(self.ways) > 1 or self.folds):
            raise SweepError("`ways` 0 stands for all classes of a bank; leave other `ways` and `folds` out")
        if self.episodes < 1:
            raise SweepError(f"`episodes` {self.episodes}: choose 1 or more")


def cells(draws: Draws, bank: FeatureBank, only: Sequence[Fold] | None = None) -> tuple[Cell, ...]:
    """All cells, ordered by way, shot, seed and fold; ``only`` replaces the folds that ``draws`` specifies.

    Raises:
        SweepError: the bank cannot provide a way, shot or split, or both ``only`` and ``draws`` specify folds.
    """
    if only and (draws.folds or draws.fold_classes):
        raise SweepError("`params` says which folds its values are for; leave `folds`, `fold_classes`, `protocol` out")
    clips, subsets = pooled(bank), only or _folds(draws, bank)
    ways = tuple(len(subsets[0].classes) if way == ALL else way for way in draws.ways)
    for fold, way, shot in itertools.product(subsets, ways, draws.shots):
        check_drawable(clips, fold=fold, way=way, shot=shot, queries=draws.queries, split=draws.split)
    return tuple(
        Cell(fold, way, shot, draws.queries, draws.episodes, seed, draws.split)
        for way, shot, seed, fold in itertools.product(ways, draws.shots, draws.seeds, subsets)
    )


def unfit(cell: Cell, parameters: Any) -> str:
    """Reason to leave out a method that needs more shots than the cell has; empty if it can run."""
    least = getattr(parameters, "least_shots", 1)
    return f"needs {least} shots: left out at {cell.shot}-shot" if cell.shot < least else ""


def place(cell: Cell) -> dict[str, Value]:
    """Name -> value of all coordinates of a cell."""
    return {
        "way": cell.way,
        "shot": cell.shot,
        "fold": cell.fold.index,
        "seed": cell.seed,
        "folds": f"{cell.fold.kind} {len(cell.fold.classes)}",
        "split": cell.split,
        "queries": cell.queries,
        "episodes": cell.episodes,
    }


def work(cell: Cell, parameters: Mapping[str, Value]) -> float:
    """Number of clips that a trial processes: each query clip once, each support clip once plus once per epoch."""
    found = parameters.get("epochs")
    epochs = found if isinstance(found, int) else 0
    return float(cell.episodes * cell.way * (cell.queries + cell.shot * (1 + epochs)))


def largest_stack(setup: Setup) -> int:
    """Number of episodes to compute together."""
    from mgcl.tasks import _few_shot_episodes

    return _few_shot_episodes.largest_stack(setup)


def run(setup: Setup, stack: int) -> Measured:
    """Run a trial's episodes in order, ``stack`` at a time."""
    from mgcl.tasks import _few_shot_episodes

    return _few_shot_episodes.run(setup, stack)


def older_scores(tags: Mapping[str, str]) -> dict[str, tuple[float, ...]]:
    """Scores of a run that was recorded before tasks existed, computed from its counts of correct queries."""
    if "episode_correct" not in tags:
        return {}
    queries = int(tags["way"]) * int(tags["queries"])
    return {"accuracy": tuple(int(count) / queries for count in tags["episode_correct"].split())}


def older_result(content: Mapping[str, Any]) -> dict[str, Any]:
    """Result of a run that was recorded before tasks existed, in the present format."""
    confusions = [{"classes": each["classes"], "counts": each["confusion"]} for each in content["episodes"]]
    scores = tuple(Confusion(**each).accuracy for each in confusions)
    rest = {name: value for name, value in content.items() if name != "episodes"}
    return {**rest, "confusions": tuple(confusions), "scores": {"accuracy": scores}}


def column_name(column: Sequence[Value]) -> str:
    """Head of a table's column, e.g. "5-way 1-shot"."""
    return f"{column[0]}-way {column[1]}-shot"


def heading(setting: Mapping[str, Value]) -> str:
    """Short description of a setting, for headings."""
    return (
        f"{setting['episodes']} episodes, {setting['queries']} queries, folds {setting['folds']}, "
        f"split {setting['split']}"
    )


def caption(setting: Mapping[str, Value], pooled: Mapping[str, Sequence[Value]]) -> str:
    """Sentence on a setting and the pooled seeds, for captions."""
    return (
        f"{setting['episodes']} episodes a fold and seed, {setting['queries']} queries a class, "
        f"folds: {setting['folds']}, split: {setting['split']}, seeds: {', '.join(map(str, pooled['seed']))}."
    )


Test = Fold
TESTS, APART = "folds", "shot"
BATCHES = ("folds", "fold_classes", "seeds", "episodes")


def problems(draws: Draws, bank: FeatureBank, *, shared: bool) -> tuple[Problem, ...]:
    """One problem per fold, with the classes outside the fold for validation.

    Args:
        draws: draws whose folds are tested on.
        bank: the feature bank.
        shared: one problem for all folds, validated on the classes outside their union.

    Raises:
        SearchError: too few classes are left for validation episodes.
    """
    labels = sorted({clip.label for clip in bank.clip_records})
    return development(bank.header.dataset, _folds(draws, bank), labels, way=max(draws.ways), shared=shared)


def apart(draws: Draws) -> tuple[Value, ...]:
    """The shots of ``draws``."""
    return draws.shots


def batch(draws: Draws, number: int, apart: Value) -> Draws:
    """Draws of one batch: its number is the seed, and its folds come from the problem."""
    shots = tuple(shot for shot in draws.shots if apart in (None, shot))
    return replace(draws, shots=shots, seeds=(number,), folds=None, fold_classes=None)


def tested(cell: Cell) -> Fold:
    """Fold of a cell."""
    return cell.fold


def study_name(tests: Sequence[Fold], apart: Value) -> tuple[str, ...]:
    """Words for a study: ("published 3",), or ("published 3", "5-shot") if shots have separate studies."""
    kind = tests[0].kind
    where = f"{kind} {'-'.join(str(fold.index) for fold in tests)}" if len(tests) < 2 else f"{kind} shared"
    return (where,) if apart is None else (where, f"{apart}-shot")


def _folds(draws: Draws, bank: FeatureBank) -> tuple[Fold, ...]:
    clips = pooled(bank)
    if ALL in draws.ways:
        return (Fold("all", 0, tuple(clips)),)
    return folds(bank.header.dataset, clips, count=draws.folds, size=draws.fold_classes)
