"""Tables of recorded trials, with variants as rows and the task's columns. The same runs give the same tables."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from types import MappingProxyType
from typing import Any

from mgcl.catalogue import load
from mgcl.records import Setting, TrialRun, Value
from mgcl.reporting.statistics import Estimate, block_estimate
from mgcl.tasks import Metric, Task

Column = tuple[Value, ...]
"""Values of the task's ``COLUMNS``, in their order."""

NO_GROUPS: Mapping[str, Sequence[str]] = MappingProxyType({})
OTHER = "Other"
"""Heading of rows whose variant is in no group."""


@dataclass(frozen=True)
class Entry:
    """Entry of a table for one row and column."""

    estimate: Estimate | None
    """Mean with its interval, unscaled; None if no trial of the entry has the metric, e.g. because all failed."""
    runs: tuple[TrialRun, ...]
    """Runs of the entry, including failed ones."""
    expected: int
    """Number of trials of a complete entry: every block with every seed of its column."""

    @cached_property
    def failed(self) -> int:
        """Number of trials that ended in an error."""
        return sum(run.status == "FAILED" for run in self.runs)

    @property
    def finished(self) -> int:
        """Number of trials that did not fail."""
        return len(self.runs) - self.failed

    @property
    def complete(self) -> bool:
        """Whether every block and seed finished; only complete entries can be compared with others of the column."""
        return self.finished == self.expected


@dataclass(frozen=True)
class Table:
    """Recorded trials of one setting, measured by one metric."""

    setting: Setting
    metric: Metric
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    entries: dict[tuple[str, Column], Entry]
    variants: Mapping[str, str]
    """Row -> its variant; a variant has several rows if its trials differ in their parameters."""
    searched: Mapping[str, str]
    """Row with values that a search chose -> the variant with its own values."""
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    """Headings, each with the rows printed under it; every row is under exactly one heading."""

    @property
    def task(self) -> Task:
        """Task of the table's runs."""
        task: Task = load("task", self.setting.task)
        return task

    @property
    def ranked(self) -> bool:
        """Whether the table's metric is the first of its task, by which rows are ranked."""
        return self.metric == self.task.METRICS[0]

    @property
    def runs(self) -> tuple[TrialRun, ...]:
        """All runs of the table, without duplicates."""
        return tuple({run.key: run for entry in self.entries.values() for run in entry.runs}.values())

    @property
    def blocks(self) -> int:
        """Number of blocks among the table's runs."""
        return len({run.block for run in self.runs})

    @property
    def setting_columns(self) -> dict[str, object]:
        """Columns of a csv that identify the table: name -> value."""
        setting = self.setting
        named = {"dataset": setting.dataset, "backbone": setting.backbone, "bank": setting.bank}
        return {**named, **dict(setting.drawn)}

    def column_values(self, column: Column) -> dict[str, object]:
        """Columns of a csv that identify a column of the table: name -> value."""
        return dict(zip(self.task.COLUMNS, column, strict=True))

    def name_of(self, column: Column) -> str:
        """Head of a column, e.g. "5-way 1-shot"."""
        return self.task.column_name(column)

    def shown(self, row: str, column: Column) -> float | None:
        """Mean of an entry, rounded as printed; None if the entry is missing or incomplete."""
        entry = self.entries.get((row, column))
        return float(self.metric.text(entry.estimate.mean)) if entry and entry.estimate and entry.complete else None

    def is_best(self, row: str, column: Column) -> bool:
        """Whether an entry's printed mean is the best of the column's complete entries, and better than one of them."""
        means = [mean for each in self.rows if (mean := self.shown(each, column)) is not None]
        own = self.shown(row, column)
        if own is None or min(means) == max(means):
            return False
        return own == (max(means) if self.metric.higher_is_better else min(means))


def build(
    runs: Iterable[TrialRun], order: Sequence[str] = (), groups: Mapping[str, Sequence[str]] = NO_GROUPS
) -> tuple[Table, ...]:
    """Build one table per setting and metric; only the newest version of a method or task counts.

    Args:
        runs: runs of one sweep, one per trial key.
        order: variant names in printed order; other rows follow, sorted by name.
        groups: heading -> variants whose rows are printed under it; other rows come last, under ``OTHER``.
    """
    found: defaultdict[Setting, list[TrialRun]] = defaultdict(list)
    for run in newest_versions(sorted(runs, key=lambda run: run.key)):
        found[run.setting].append(run)
    return tuple(
        table
        for setting, each in sorted(found.items(), key=lambda item: _place_of(item[0]))
        for table in _tables(setting, each, order, groups)
    )


def by_setting(tables: Sequence[Table]) -> list[list[Table]]:
    """Tables grouped by setting; the tables of a group differ in their metric."""
    return [list(each) for _, each in groupby(tables, key=lambda table: table.setting)]


def newest_versions(runs: Sequence[TrialRun]) -> list[TrialRun]:
    """Runs of the highest version of their method and of their task among the given runs."""
    methods: dict[str, int] = {}
    tasks: dict[str, int] = {}
    for run in runs:
        methods[run.method] = max(run.version, methods.get(run.method, 0))
        tasks[run.setting.task] = max(run.setting.protocol, tasks.get(run.setting.task, 0))
    return [
        run for run in runs if run.version == methods[run.method] and run.setting.protocol == tasks[run.setting.task]
    ]


def _place_of(setting: Setting) -> tuple[str, ...]:
    """Sort key of a setting."""
    drawn = [f"{value:06}" if isinstance(value, int) else str(value) for _, value in setting.drawn]
    return setting.task, setting.dataset, setting.backbone, setting.bank, *drawn, f"{setting.protocol:06}"


def _tables(
    setting: Setting, runs: Sequence[TrialRun], order: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> Iterator[Table]:
    labels = _labels(runs)
    members: defaultdict[tuple[str, Column], list[TrialRun]] = defaultdict(list)
    for run in runs:
        for variant in run.variants:
            members[labels[run.key, variant], run.column].append(run)
    variants = {row: variant for (_, variant), row in labels.items()}
    own = {variant: each for run in runs for variant, each in run.searched.items()}
    searched = {row: own[variant] for row, variant in variants.items() if variant in own}
    named = {**variants, **searched}
    rank = {name: index for index, name in enumerate(order)}
    rows = sorted(named, key=lambda row: (rank.get(named[row], len(rank)), row))
    columns = sorted({column for _, column in members})
    expected = {
        column: math.prod(
            len(set(values)) for values in zip(*(run.pooled for run in runs if run.column == column), strict=True)
        )
        for column in columns
    }
    task: Task = load("task", setting.task)
    for metric in task.METRICS:
        if metric != task.METRICS[0] and not any(metric.measured(run.scores) for run in runs):
            continue  # all runs were recorded before the task measured this metric
        entries = {
            place: Entry(_estimate(each, metric), tuple(each), expected[place[1]]) for place, each in members.items()
        }
        headed = grouped(rows, named, groups)
        yield Table(setting, metric, tuple(rows), tuple(columns), entries, variants, searched, headed)


def grouped(
    rows: Sequence[str], named: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Headings with their rows, in the order of ``groups`` and ``rows``; ``named`` maps a row to its variant."""
    headings = {variant: heading for heading, each in groups.items() for variant in each}
    of = {row: headings.get(named[row], OTHER) for row in rows}
    return tuple(
        (heading, tuple(row for row in rows if of[row] == heading))
        for heading in (*groups, OTHER)
        if heading in of.values()
    )


def _labels(runs: Sequence[TrialRun]) -> dict[tuple[str, str], str]:
    """(Trial key, variant) -> row label: the variant's name, with the parameters in which its trials differ, if any."""
    by_variant: defaultdict[str, list[TrialRun]] = defaultdict(list)
    for run in runs:
        for variant in run.variants:
            by_variant[variant].append(run)
    labels = {}
    for variant, each in by_variant.items():
        names = sorted({name for run in each for name in run.parameters})
        if any(variant in run.searched for run in each):
            names = []  # searched values differ from block to block by design; they form one row
        differing = [name for name in names if len({run.parameters.get(name) for run in each}) > 1]
        for run in each:
            suffix = ", ".join(f"{name}={run.parameters.get(name)}" for name in differing)
            labels[run.key, variant] = f"{variant} ({suffix})" if suffix else variant
    return labels


def _estimate(runs: Sequence[TrialRun], metric: Metric) -> Estimate | None:
    """Estimate of an entry; runs are sorted by block and seed, so that the sums do not depend on their order."""
    blocks: defaultdict[Hashable, list[Any]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.pooled):
        if metric.measured(run.scores):
            blocks[run.block].extend(metric.units(run.scores))
    return block_estimate(blocks, metric.interval, metric.of) if blocks else None
