"""Tasks: what is drawn and what is measured. A task is one module of this room; its name is the file's.

Grid, workers, record, tables and pictures know a task by what this page lists. A metric's name and a column's name are
MLflow keys: letters, digits, spaces and ``_ - . / :``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mgcl.records import NO_TRANSPORT, Cell, Confusion, Convergence, ExplainedClip, Trial, Value
from mgcl.tasks._metric import Metric as Metric
from mgcl.tasks._metric import Summary as Summary

if TYPE_CHECKING:
    import torch

    from mgcl.features import FeatureBank
    from mgcl.methods.method import Method
    from mgcl.transport.pairwise import SimilarityStore

FIRST = "few_shot"
"""The task of runs that were recorded before runs named theirs."""


@dataclass(frozen=True)
class Coordinate:
    """What is known of one of the values that say which cell a trial is of; its name stands beside it."""

    kind: type
    """Of its values: int or str."""
    about: str = ""
    """What it is, for axes and for a report's list of choices; empty: it is not listed."""
    default: Value = None
    """Of runs that were recorded before the task had it."""


@dataclass(frozen=True)
class Words:
    """Nouns and caveats of a task, for captions."""

    unit: str
    """What one score is of: "episode"."""
    block: str = ""
    """What intervals are taken over where there are several: "fold"; empty: a task without blocks."""
    blocks_caveat: str = ""
    """A sentence on intervals over blocks."""
    devices_caveat: str = ""
    """": what may differ where runs of several kinds of devices stand in one table"."""
    p_caveat: str = ""
    """A sentence on what a paired test of the units is conditional on."""


@dataclass(frozen=True)
class Setup:
    """What a trial runs with."""

    trial: Trial
    bank: FeatureBank
    method: Method
    parameters: Any
    """The method's ``Parameters`` of the trial."""
    similarities: SimilarityStore
    """Segment similarities of the bank's clips, on the device."""
    device: torch.device


@dataclass(frozen=True)
class Measured:
    """What a task finds; see ``mgcl.records.TrialResult``."""

    scores: Mapping[str, tuple[float, ...]]
    convergence: Convergence = NO_TRANSPORT
    confusions: tuple[Confusion, ...] = ()
    explained: ExplainedClip | None = None


@dataclass(frozen=True)
class Problem:
    """One search: values are chosen on one set of classes, for tests on others."""

    tests: tuple[Any, ...]
    """What the values are for, each of the task's ``Test``: few-shot's folds."""
    validation: Any
    """What they are chosen on; shares no class with any of the tests."""


class Draws(Protocol):
    """What a sweep says of a task: a frozen dataclass whose fields are ``flag``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    task: ClassVar[str]
    """The task's name."""


class Task(Protocol):
    """The protocol. Its module loads without torch: planning and reporting read it."""

    VERSION: int
    """Part of every trial's key: raised whenever the same cell draws, or counts, something else."""
    READS: tuple[str, ...]
    """Columns of a bank that it goes by, whatever the method; see ``mgcl.features.schema``."""
    METRICS: tuple[Metric, ...]
    """The first is the one that is ranked."""
    COLUMNS: Mapping[str, Coordinate]
    """Coordinates that head a table's columns."""
    POOLED: Mapping[str, Coordinate]
    """Coordinates that are averaged: the first is the block, the others are pooled within one."""
    SETTING: Mapping[str, Coordinate]
    """The rest of a cell's coordinates, which is never mixed in one table."""
    WORDS: Words
    PRESETS: Mapping[str, Mapping[str, Value]]
    """Name -> fields of ``Draws``, for ``--protocol``; may be empty."""
    Draws: type
    """What a sweep says of the task, as the protocol of this name."""

    def cells(self, draws: Any, bank: FeatureBank, only: Sequence[Any] | None = None) -> Sequence[Cell]:
        """Every cell of a sweep.

        Args:
            draws: the sweep's ``Draws``.
            bank: on what.
            only: ``Problem.tests``, or a ``validation``, to draw from instead of what ``draws`` says.

        Raises:
            SweepError: what the bank cannot give.
        """
        ...

    def unfit(self, cell: Cell, parameters: Any) -> str:
        """Why a method with these parameters cannot run a cell, after its variant's name; empty: it can."""
        ...

    def place(self, cell: Cell) -> Mapping[str, Value]:
        """The value of every coordinate."""
        ...

    def work(self, cell: Cell, parameters: Mapping[str, Value]) -> float:
        """How long a trial of a method's parameters is, in any unit that is proportional to seconds."""
        ...

    def largest_stack(self, setup: Setup) -> int:
        """Units to compute together; a function of trial, bank and kind of device alone."""
        ...

    def run(self, setup: Setup, stack: int) -> Measured:
        """Run a trial, ``stack`` units at once."""
        ...

    def column_name(self, column: Sequence[Value]) -> str:
        """What stands above a column."""
        ...

    def heading(self, setting: Mapping[str, Value]) -> str:
        """A setting in a few words."""
        ...

    def caption(self, setting: Mapping[str, Value], pooled: Mapping[str, Sequence[Value]]) -> str:
        """A setting, and what was pooled, as a sentence."""
        ...


class Searchable(Task, Protocol):
    """A task whose methods have values to search."""

    Test: type
    """What values are for: a frozen dataclass of plain values and tuples, which a file of values keeps."""
    TESTS: str
    """What they are called in that file: "folds"."""
    APART: str
    """The coordinate of whose values each may have a study of its own, "shot"; empty: there is none."""
    BATCHES: tuple[str, ...]
    """Fields of ``Draws`` that are a batch's own: a test of what was found leaves them to the sweep."""

    def problems(self, draws: Any, bank: FeatureBank, *, shared: bool) -> tuple[Problem, ...]:
        """What a search chooses values on, apart from what they are tested on.

        Raises:
            SearchError: the bank has too few classes.
        """
        ...

    def apart(self, draws: Any) -> tuple[Value, ...]:
        """The values of ``APART`` that a sweep asks for."""
        ...

    def batch(self, draws: Any, number: int, apart: Value) -> Any:
        """What one batch of a study draws, from a ``Problem.validation``; ``apart``: of this value, None: of all."""
        ...

    def tested(self, cell: Cell) -> Any:
        """What a cell is of, as ``Problem.tests`` has it."""
        ...

    def study_name(self, tests: Sequence[Any], apart: Value) -> tuple[str, ...]:
        """What tells a study from a search's others, in words: ("published 3", "5-shot"); they never change."""
        ...


def flag(about: str, metavar: str, default: Any = MISSING, *, name: str = "") -> Any:
    """A field of ``Draws`` and its flag of the command line.

    Args:
        about: the flag's help.
        metavar: what stands for its value.
        default: of the field; none: it must be given.
        name: the flag's, if it is not the field's.
    """
    return field(default=default, metadata={"about": about, "metavar": metavar, "flag": name})
