"""Frozen records that every layer shares. Imports nothing of mgcl."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

Value = str | int | float | bool | None


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same bytes for the same value, whatever its order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """The SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


@dataclass(frozen=True)
class Clip:
    """What drawing an episode needs to know of one audio file."""

    clip_id: str
    label: str
    source: str | None
    """The recording the clip was cut from; None where it is unknown: then the clip is its own recording."""


@dataclass(frozen=True)
class Fold:
    """One subset of classes that episodes are drawn from (not ESC-50's audio folds)."""

    kind: str
    """Where it comes from: "all" classes, a "published" subset, or a "seeded" one."""
    index: int
    classes: tuple[str, ...]


LOGIT_SCALES = (1.0, 1000.0)
"""Least and greatest multiplier of a contrast. CLAP's is 100 at its cap; MS-CLAP's configuration gives 1/0.003."""


def logit_scale_fault(scale: float) -> str | None:
    """Why a logit scale cannot be used; None: it can."""
    least, most = LOGIT_SCALES
    if least <= scale <= most:
        return None
    return f"{scale}, outside {least:.0f}..{most:.0f}; it is the multiplier itself, already exponentiated"


@dataclass(frozen=True)
class Episode:
    """One draw of ``way`` classes, with the clip ids of their support and query sets."""

    index: int
    seed: int
    """Seeds whatever a method draws at random, so that it too is a function of the episode."""
    classes: tuple[str, ...]
    support: tuple[tuple[str, ...], ...]
    """Shape (way, shot)."""
    query: tuple[tuple[str, ...], ...]
    """Shape (way, queries)."""


@dataclass(frozen=True)
class Cell:
    """What a task draws for one trial. A task's own cell adds fields; each is part of the trial's key."""

    older_than_tasks: ClassVar[bool] = False
    """True of the task that was recorded before trials named theirs: its keys stay as they were."""


@dataclass(frozen=True)
class Trial:
    """One cell of a task with one method: everything that can change its result, and nothing else."""

    task: str
    protocol: int
    """The task's version: how it draws and counts."""
    bank: str
    """The feature bank's content digest."""
    dataset: str
    cell: Any
    """The task's own ``Cell``."""
    method: str
    version: int
    """The method's own version number."""
    parameters: Mapping[str, Value]
    """The variant's resolved parameters; its name is not part of a trial."""

    @cached_property
    def key(self) -> str:
        """16 hex digits of the SHA-256 of this record's canonical JSON, the cell's fields among the others."""
        content = asdict(self)
        content |= content.pop("cell")
        if self.cell.older_than_tasks:
            del content["task"]
        return digest(content)[:16]


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and every row of a table that it stands in."""

    trial: Trial
    variants: tuple[str, ...]
    searched: Mapping[str, str] = field(default_factory=dict)
    """Those of its rows that have values which a search chose -> the row of their variant's own values."""


@dataclass(frozen=True)
class Convergence:
    """Transport problems that were looked at, and how many of them missed their tolerance."""

    problems: int = 0
    unconverged: int = 0

    def __add__(self, other: "Convergence") -> "Convergence":
        return Convergence(self.problems + other.problems, self.unconverged + other.unconverged)


NO_TRANSPORT = Convergence()


@dataclass(frozen=True)
class Confusion:
    """Answers of one unit of a trial: ``counts[true][predicted]`` of its query clips."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def correct(self) -> int:
        """Query clips that were recognised."""
        return sum(row[i] for i, row in enumerate(self.counts))

    @property
    def accuracy(self) -> float:
        """The share of query clips that were recognised, in 0..1."""
        return self.correct / sum(map(sum, self.counts))


@dataclass(frozen=True)
class ExplainedClip:
    """Why one query clip was answered as it was: the score parts a class, and the fine-grained plans."""

    clip_id: str
    label: str
    predicted: str
    segment_times: tuple[float, ...]
    """Centre of each segment, in seconds."""
    parts: Mapping[str, tuple[float, ...]]
    """Score part -> its share of each class's logit; the parts sum to the logits."""
    plans: Mapping[str, tuple[tuple[float, ...], ...]]
    """What the segments (rows) were matched with -> the transport plan."""


@dataclass(frozen=True)
class TrialResult:
    """What a trial found, and what the machine it ran on says of it."""

    key: str
    scores: Mapping[str, tuple[float, ...]]
    """Column -> one number per unit of the task (episode, clip, class ...); units are paired across variants."""
    convergence: Convergence
    """Training and evaluation together."""
    seconds: float
    device: str
    stack: int
    """Units computed together; part of the arithmetic."""
    host: str
    confusions: tuple[Confusion, ...] = ()
    """Of a task that answers with classes: one per unit, or one of all of them."""
    explained: ExplainedClip | None = None
    notes: tuple[str, ...] = ()
    """Warnings of the machine's: what changed no number, but should be mended."""

    def mean(self, column: str) -> float:
        """Over the units."""
        return sum(self.scores[column]) / len(self.scores[column])


@dataclass(frozen=True)
class TrialFailure:
    """A trial that ended in an error."""

    key: str
    error: str
    """One line: its type and message."""
    traceback: str = ""

    @property
    def cause(self) -> str:
        """The error's type and the line of code that raised it: the same for failures that are alike."""
        places = [line.strip() for line in self.traceback.splitlines() if line.startswith("  File ")]
        return " ".join([self.error.partition(":")[0], *places[-1:]])


@dataclass(frozen=True)
class Setting:
    """What all cells of one table share: results of different settings are never pooled."""

    task: str
    protocol: int
    dataset: str
    backbone: str
    bank: str
    """The bank's digest."""
    drawn: tuple[tuple[str, Value], ...]
    """Names and values of what a cell has besides its column and what is pooled."""


@dataclass(frozen=True)
class TrialRun:
    """A trial as the tracking store remembers it: what a report is drawn from."""

    run_id: str
    key: str
    status: str
    """FINISHED or FAILED."""
    setting: Setting
    variants: tuple[str, ...]
    """Every table row that resolves to this trial."""
    column: tuple[Any, ...]
    """Values of the task's ``COLUMNS``: the table's column that it stands in."""
    pooled: tuple[Any, ...]
    """Values of the task's ``POOLED``: of the first its block, of the others what is pooled within one."""
    method: str
    version: int
    parameters: Mapping[str, str]
    scores: Mapping[str, tuple[float, ...]]
    """Column -> one number per unit; empty for a failed trial."""
    convergence: Convergence
    device: str
    error: str
    revision: str = ""
    """Of the data set; empty where it is not known."""
    commit: str = ""
    """Of the code, with "+" where its files differed from it."""
    captions_naming_class: float | None = None
    """Share of the bank's captions that contain a word of their class's name; None: not recorded."""
    seconds: float | None = None
    """What the trial took its worker; None: it failed."""
    ended: float = 0.0
    """Seconds since 1970."""
    searched: Mapping[str, str] = field(default_factory=dict)
    """Those of its rows that have values which a search chose -> the row of their variant's own values."""

    @property
    def block(self) -> Any:
        """What intervals are taken over, where there are several: few-shot's fold."""
        return self.pooled[0] if self.pooled else 0
