"""Frozen records that every layer shares. Imports nothing of mgcl."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

Value = str | int | float | bool | None
SEARCHED = " (searched "
"""In a row's name: what follows, up to a bracket, names the values that a search chose."""
Gradient = Literal["detached", "exact"]
MatchingKind = Literal["transport", "uniform", "best-match"]


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same bytes for the same value, whatever its order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


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
class Trial:
    """One (variant, fold, way, shot, seed) cell: everything that can change its result, and nothing else."""

    bank: str
    """The feature bank's content digest."""
    dataset: str
    fold: Fold
    way: int
    shot: int
    queries: int
    episodes: int
    seed: int
    split: str
    """"clip", or "source": no recording both in support and query."""
    protocol: int
    """Version of how episodes are drawn and counted."""
    method: str
    version: int
    """The method's own version number."""
    parameters: Mapping[str, Value]
    """The variant's resolved parameters; its name is not part of a trial."""

    @cached_property
    def key(self) -> str:
        """The first 16 hex digits of the SHA-256 of this record's canonical JSON."""
        return hashlib.sha256(canonical_json(asdict(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Convergence:
    """Transport problems that were looked at, and how many of them missed their tolerance."""

    problems: int = 0
    unconverged: int = 0

    def __add__(self, other: "Convergence") -> "Convergence":
        return Convergence(self.problems + other.problems, self.unconverged + other.unconverged)


NO_TRANSPORT = Convergence()


@dataclass(frozen=True)
class EpisodeResult:
    """How one episode ended: ``confusion[true][predicted]`` counts query clips."""

    index: int
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def correct(self) -> int:
        """Query clips that were recognised."""
        return sum(row[i] for i, row in enumerate(self.confusion))

    @property
    def accuracy(self) -> float:
        """The share of query clips that were recognised, in 0..1."""
        return self.correct / sum(map(sum, self.confusion))


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
    episodes: tuple[EpisodeResult, ...]
    convergence: Convergence
    """Training and evaluation together."""
    explained: ExplainedClip
    seconds: float
    device: str
    stack: int
    """Episodes computed together; part of the arithmetic."""
    host: str
    notes: tuple[str, ...] = ()
    """Warnings of the machine's: what changed no number, but should be mended."""

    @property
    def accuracy(self) -> float:
        """Mean accuracy over the episodes, in 0..1."""
        return sum(episode.accuracy for episode in self.episodes) / len(self.episodes)


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

    dataset: str
    backbone: str
    bank: str
    """The bank's digest."""
    folds: str
    """Kind and size of the class subsets: "all 10", "published 15", "seeded 15"."""
    split: str
    protocol: int
    queries: int
    episodes: int


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
    fold: int
    way: int
    shot: int
    seed: int
    method: str
    version: int
    parameters: Mapping[str, str]
    accuracies: tuple[float, ...]
    """One an episode, in 0..1; empty for a failed trial."""
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


@dataclass(frozen=True)
class Matching:
    """How segments are matched.

    Attributes:
        kind: "transport" (the paper); "uniform": every pair counts alike; "best-match": each segment of x
            takes the segment of y it is closest to.
        epsilon: of the transport, > 0.
        tolerance: of the transport, > 0.
        max_iterations: of the transport; None allows 100 at epsilon >= 0.1 and 2,000 below.
        entropy_weight: λ >= 0; adds λ h(T) / log(n m) to the similarity (MGCL Eq. 5). 0 is Eq. 9 as printed.
        gradient: "detached" (the plan is a constant) or "exact".
    """

    kind: MatchingKind = "transport"
    epsilon: float = 0.1
    tolerance: float = 1e-4
    max_iterations: int | None = None
    entropy_weight: float = 0.0
    gradient: Gradient = "detached"

    def __post_init__(self) -> None:
        """Refuse what no matching can be.

        Raises:
            ValueError: names the field and the value.
        """
        for name, choices in (("kind", get_args(MatchingKind)), ("gradient", get_args(Gradient))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {getattr(self, name)!r}")
        for name in ("epsilon", "tolerance"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 <= self.entropy_weight < float("inf"):
            raise ValueError(f"entropy_weight must be at least 0 and finite, got {self.entropy_weight}")
