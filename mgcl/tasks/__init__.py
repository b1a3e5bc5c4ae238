"""Tasks: what is drawn and what is measured. A task is one module of this package, named by its file.

Grid, workers, record, tables and pictures use a task only through the protocols of this module. Names of metrics and
columns are MLflow keys: letters, digits, spaces and ``_ - . / :``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mgcl.details import Confusion, ExplainedClip, Samples, Tradeoff
from mgcl.records import NO_TRANSPORT, Cell, Convergence, Trial, Value
from mgcl.tasks._metric import Metric as Metric
from mgcl.tasks._metric import Summary as Summary

if TYPE_CHECKING:
    import torch

    from mgcl.features import FeatureBank
    from mgcl.transport.pairwise import SimilarityStore

FIRST = "few_shot"
"""Task of runs that were recorded before runs named their task."""


@dataclass(frozen=True)
class Coordinate:
    """Description of one coordinate of a cell; mappings of coordinates have its name as key."""

    kind: type
    """Type of the values: int or str."""
    about: str = ""
    """Meaning of the coordinate, for axes and for a report's list of choices; empty: it is not listed."""
    default: Value = None
    """Value for runs that were recorded before the task had the coordinate."""


@dataclass(frozen=True)
class Words:
    """Nouns and caveats of a task, for captions."""

    unit: str
    """Noun for what one score belongs to, e.g. "episode"."""
    chance: str = ""
    """What an interval over the units of one block covers, e.g. "the draw of episodes"; empty: "the draw of UNITs"."""
    block: str = ""
    """Noun for what intervals are over if there are several, e.g. "fold"; empty: the task has no blocks."""
    blocks_caveat: str = ""
    """Sentence on intervals over blocks."""
    devices_caveat: str = ""
    """What may differ if a table has runs of several kinds of devices, as the end of a sentence, ": ..."."""
    p_caveat: str = ""
    """Sentence on what a paired test of the units is conditional on."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Name of a number that trials give beside their scores -> what it is, for a caption."""
    varying: tuple[str, ...] = ()
    """Names of the facts that differ when a trial runs again; only facts.csv has them."""
    validation: str = ""
    """Sentence on what keeps a search's validation apart from the tests."""


@dataclass(frozen=True)
class Setup:
    """Everything that a task needs to run a trial."""

    trial: Trial
    bank: FeatureBank
    method: Any
    """Module of the method; its protocol is that of the task's ``METHODS``."""
    parameters: Any
    """The trial's parameters, as the method's ``Parameters``."""
    similarities: SimilarityStore | None
    """Segment similarities of the bank's clips, on the device; None: the bank has no segments."""
    device: torch.device
    kept: Path | None = None
    """Folder for results that several trials share; None: they are computed again."""


@dataclass(frozen=True)
class Measured:
    """Result of running a task; for the fields see ``mgcl.records.TrialResult``."""

    scores: Mapping[str, tuple[float, ...]]
    convergence: Convergence = NO_TRANSPORT
    confusions: tuple[Confusion, ...] = ()
    explained: ExplainedClip | None = None
    tradeoffs: tuple[Tradeoff, ...] = ()
    samples: Samples | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """One search problem: values are chosen on some clips, for tests on others."""

    tests: tuple[Any, ...]
    """What the values are tested on, as the task's ``Test`` (few-shot: folds)."""
    validation: Any
    """What the values are chosen on; no clip of it is tested (few-shot: nor any other clip of its classes)."""


class Draws(Protocol):
    """What a sweep specifies for a task: a frozen dataclass whose fields are made by ``flag``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    task: ClassVar[str]
    """Name of the task."""


class Task(Protocol):
    """Protocol of a task's module. The module must load without torch, because planning and reporting import it."""

    VERSION: int
    """Version, part of every trial's key; raised whenever the same cell would draw or count something else."""
    METHODS: tuple[str, ...]
    """Folders of ``mgcl.methods`` whose methods the task runs."""
    GENERATED: str
    """Generated data set whose bank a sweep takes if it is given none; see ``mgcl.extraction.generated``."""
    READS: tuple[str, ...]
    """Columns of a bank that the task needs with any method; see ``mgcl.features.schema``."""
    METRICS: tuple[Metric, ...]
    """Metrics of the task; rows are ranked by the first."""
    COLUMNS: Mapping[str, Coordinate]
    """Coordinates that identify a table's columns."""
    POOLED: Mapping[str, Coordinate]
    """Coordinates that are averaged: the first is the block, the others are pooled within a block."""
    SETTING: Mapping[str, Coordinate]
    """All other coordinates of a cell; their values are never mixed in one table."""
    WORDS: Words
    PRESETS: Mapping[str, Mapping[str, Any]]
    """Name of a published protocol -> fields of ``Draws``, for ``--protocol``; may be empty."""
    Draws: type
    """The task's own dataclass, which fulfils the protocol ``Draws``."""

    def cells(self, draws: Any, bank: FeatureBank, only: Sequence[Any] | None = None) -> Sequence[Cell]:
        """All cells of a sweep on one bank.

        Args:
            draws: the sweep's ``Draws``.
            bank: the feature bank.
            only: ``Problem.tests``, or a ``Problem.validation`` in a tuple, to draw from instead of what ``draws``
                specifies.

        Raises:
            SweepError: the bank cannot provide what ``draws`` specifies.
        """
        ...

    def unfit(self, cell: Cell, parameters: Any) -> str:
        """Reason why a method with these parameters cannot run a cell, to follow the variant's name; empty: it can."""
        ...

    def place(self, cell: Cell) -> Mapping[str, Value]:
        """Name -> value of all coordinates of a cell."""
        ...

    def work(self, cell: Cell, parameters: Mapping[str, Value]) -> float:
        """Relative duration of a trial with the given method parameters, in any unit proportional to seconds."""
        ...

    def largest_stack(self, setup: Setup) -> int:
        """Number of units to compute together; depends on trial, bank and kind of device only."""
        ...

    def run(self, setup: Setup, stack: int) -> Measured:
        """Run a trial, ``stack`` units at a time."""
        ...

    def column_name(self, column: Sequence[Value]) -> str:
        """Head of a table's column, e.g. "5-way 1-shot"."""
        ...

    def heading(self, setting: Mapping[str, Value]) -> str:
        """Short description of a setting, for headings."""
        ...

    def caption(self, setting: Mapping[str, Value], pooled: Mapping[str, Sequence[Value]]) -> str:
        """Sentence on a setting and the pooled values, for captions."""
        ...


class Configured(Task, Protocol):
    """A task with published settings of its methods."""

    SETTINGS: Mapping[str, Callable[[str, Any], Mapping[str, Value]]]
    """Name -> function from data set and cell to values of options; a method takes those that it has, except its
    module's ``FIXED``, if it has that."""


class Bounded(Task, Protocol):
    """A task with data sets whose recipe determines what can be recognised at most."""

    def ceilings(self, dataset: str, revision: str) -> Mapping[str, Mapping[str, float]]:
        """Count what a perfect recogniser could score that perceives a part of what there is.

        Args:
            dataset: name of the data set.
            revision: revision of the data set.

        Returns:
            View, i.e. what is perceived -> name of a figure -> the figure, in 0..1; empty: it is not known.
        """
        ...


class Searchable(Task, Protocol):
    """A task whose methods have values to search."""

    Test: type
    """Type of what values are tested on: a frozen dataclass of plain values and tuples, stored in files of values."""
    TESTS: str
    """Key of the tests in that file, e.g. "folds"."""
    APART: str
    """Coordinate whose values may have separate studies, e.g. "shot"; empty: there is none."""
    BATCHES: tuple[str, ...]
    """Fields of ``Draws`` that only a search's batches use; a test of the found values takes the sweep's own."""

    def problems(self, draws: Any, bank: FeatureBank, *, shared: bool) -> tuple[Problem, ...]:
        """Problems of a search, whose validation clips are never tested.

        Args:
            draws: the search's ``Draws``; their tests are what values are searched for.
            bank: the feature bank.
            shared: one problem for all tests, instead of one per test.

        Raises:
            SearchError: the bank has too few classes.
        """
        ...

    def apart(self, draws: Any) -> tuple[Value, ...]:
        """Values of the coordinate ``APART`` in ``draws``."""
        ...

    def batch(self, draws: Any, number: int, apart: Value) -> Any:
        """Draws of one batch of a study, for use with a ``Problem.validation``.

        Args:
            draws: the search's ``Draws``.
            number: number of the batch.
            apart: value of ``APART`` to draw; None: all values.
        """
        ...

    def tested(self, cell: Cell) -> Any:
        """The member of ``Problem.tests`` that a cell is drawn from."""
        ...

    def study_name(self, tests: Sequence[Any], apart: Value) -> tuple[str, ...]:
        """Words that distinguish a study from the others of its search: ("published 3", "5-shot").

        They name studies in databases, so a task never changes them.
        """
        ...


def flag(about: str, metavar: str, default: Any = MISSING, *, name: str = "") -> Any:
    """Make a field of ``Draws`` with its flag of the command line.

    Args:
        about: help text of the flag.
        metavar: placeholder of the value in the help.
        default: default of the field; omitted: the field is required.
        name: name of the flag, if it differs from the field's.
    """
    return field(default=default, metadata={"about": about, "metavar": metavar, "flag": name})
