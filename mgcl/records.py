"""Frozen records that all layers share."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from mgcl.details import Confusion, ExplainedClip, Samples, Tradeoff

Value = str | int | float | bool | None


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal bytes, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file, as far as drawing an episode needs it."""

    clip_id: str
    label: str
    source: str | None
    """Recording that the clip was cut from; None: unknown, so the clip counts as its own recording."""
    fold: int | None = None
    """The data set's own fold of clips; None: it has none."""


@dataclass(frozen=True)
class Fold:
    """One subset of classes that episodes are drawn from (not ESC-50's audio folds, which are a ``Clip``'s)."""

    kind: str
    """Origin of the subset: "all" classes, a "published" subset, or a "seeded" one."""
    index: int
    classes: tuple[str, ...]


LOGIT_SCALES = (1.0, 1000.0)
"""Smallest and largest logit scale, the multiplier of a contrast. CLAP caps it at 100; MS-CLAP configures 1/0.003."""


def logit_scale_fault(scale: float) -> str | None:
    """Reason why a logit scale cannot be used; None if it can."""
    least, most = LOGIT_SCALES
    if least <= scale <= most:
        return None
    return f"{scale}, outside {least:.0f}..{most:.0f}; it is the multiplier itself, already exponentiated"


@dataclass(frozen=True)
class Episode:
    """One draw of ``way`` classes, with the clip ids of their support and query sets."""

    index: int
    seed: int
    """Seed of everything that a method draws at random, so that its result is a function of the episode."""
    classes: tuple[str, ...]
    support: tuple[tuple[str, ...], ...]
    """Clip ids, shape (way, shot)."""
    query: tuple[tuple[str, ...], ...]
    """Clip ids, shape (way, queries)."""


@dataclass(frozen=True)
class Cell:
    """What a task draws for one trial. The subclass of a task adds fields; all fields are part of the trial's key."""

    older_than_tasks: ClassVar[bool] = False
    """True for the task that was recorded before trials named their task; its keys omit the task, as they did then."""


@dataclass(frozen=True)
class Trial:
    """One cell of a task with one method; the record holds everything that can change the result, and nothing else."""

    task: str
    protocol: int
    """Version of the task, raised if it draws or counts differently."""
    bank: str
    """Content digest of the feature bank."""
    dataset: str
    cell: Any
    """Cell of the task's own subclass of ``Cell``."""
    method: str
    version: int
    """Version of the method."""
    parameters: Mapping[str, Value]
    """Resolved parameters of the variant; its name is not part of a trial."""

    @cached_property
    def key(self) -> str:
        """First 16 hex digits of the SHA-256 of the record's canonical JSON, with the cell's fields merged in."""
        content = asdict(self)
        content |= content.pop("cell")
        if self.cell.older_than_tasks:
            del content["task"]
        return digest(content)[:16]


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and all table rows that it belongs to."""

    trial: Trial
    variants: tuple[str, ...]
    searched: Mapping[str, str] = field(default_factory=dict)
    """Row with values that a search chose -> row of the same variant with its own values."""
    searches: Mapping[str, "Searched"] = field(default_factory=dict)
    """Row with values that a search chose -> that search."""


@dataclass(frozen=True)
class Searched:
    """Extent of the search that chose a row's values."""

    points: int
    """Number of points that the values are the best of."""
    parameters: tuple[str, ...]
    """Names of the searched parameters."""


@dataclass(frozen=True)
class Convergence:
    """Number of transport problems, and how many of them missed their tolerance."""

    problems: int = 0
    unconverged: int = 0

    def __add__(self, other: "Convergence") -> "Convergence":
        return Convergence(self.problems + other.problems, self.unconverged + other.unconverged)


NO_TRANSPORT = Convergence()


@dataclass(frozen=True)
class TrialResult:
    """Result of a trial, with facts about the machine that ran it."""

    key: str
    scores: Mapping[str, tuple[float, ...]]
    """Column -> one score per unit of the task (episode, clip, class ...); units are paired across variants."""
    convergence: Convergence
    """Transport problems of training and evaluation together."""
    seconds: float
    device: str
    stack: int
    """Number of units computed together; it affects rounding."""
    host: str
    confusions: tuple[Confusion, ...] = ()
    """Confusion counts of a classification task: one per unit, or one for all units."""
    explained: ExplainedClip | None = None
    tradeoffs: tuple[Tradeoff, ...] = ()
    """One per unit; empty: no number decides between two figures of the task."""
    samples: Samples | None = None
    """Vectors that the method synthesised in the first unit, beside real ones; None: it synthesises nothing."""
    notes: tuple[str, ...] = ()
    """Warnings from the machine: problems that changed no number but should be mended."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """Name, a key of the task's ``WORDS.facts`` -> number that no table ranks by, e.g. seconds of training."""

    def mean(self, column: str) -> float:
        """Mean of a column over the units."""
        return sum(self.scores[column]) / len(self.scores[column])


@dataclass(frozen=True)
class TrialFailure:
    """A trial that ended in an error."""

    key: str
    error: str
    """Type and message of the error, in one line."""
    traceback: str = ""

    @property
    def cause(self) -> str:
        """Type of the error and the line of code that raised it; equal for failures with the same cause."""
        places = [line.strip() for line in self.traceback.splitlines() if line.startswith("  File ")]
        return " ".join([self.error.partition(":")[0], *places[-1:]])


@dataclass(frozen=True)
class Setting:
    """What all entries of one table share; results of different settings are never pooled."""

    task: str
    protocol: int
    dataset: str
    backbone: str
    bank: str
    """Digest of the feature bank."""
    drawn: tuple[tuple[str, Value], ...]
    """Names and values of the cell's coordinates other than its column and the pooled ones."""


@dataclass(frozen=True)
class TrialRun:
    """A trial as recorded in the tracking store; reports are made from these."""

    run_id: str
    key: str
    status: str
    """FINISHED or FAILED."""
    setting: Setting
    variants: tuple[str, ...]
    """All table rows that resolve to this trial."""
    column: tuple[Any, ...]
    """Values of the task's ``COLUMNS``, which identify the trial's column of the table."""
    pooled: tuple[Any, ...]
    """Values of the task's ``POOLED``: the first is the trial's block, the others are pooled within a block."""
    method: str
    version: int
    parameters: Mapping[str, str]
    scores: Mapping[str, tuple[float, ...]]
    """Column -> one score per unit; empty for a failed trial."""
    convergence: Convergence
    device: str
    error: str
    revision: str = ""
    """Revision of the data set; empty if not known."""
    commit: str = ""
    """Commit of the code, followed by "+" if its files differed from the commit; empty if not known."""
    captions_naming_class: float | None = None
    """Share of the bank's captions that contain a word of their class's name; None: not recorded."""
    seconds: float | None = None
    """Seconds that the trial took its worker; None for a failed trial."""
    ended: float = 0.0
    """Time of the end, in seconds since 1970."""
    searched: Mapping[str, str] = field(default_factory=dict)
    """Row with values that a search chose -> row of the same variant with its own values."""
    searches: Mapping[str, Searched] = field(default_factory=dict)
    """Row with values that a search chose -> that search; older runs did not record it."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """Facts of the result; empty for a failed trial, and for an older run."""

    @property
    def block(self) -> Any:
        """Block of the trial (few-shot: fold); intervals are over blocks if there are several."""
        return self.pooled[0] if self.pooled else 0
