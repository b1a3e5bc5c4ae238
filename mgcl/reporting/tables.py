"""Recorded trials as tables: variants as rows, the task's columns. The same runs give the same bytes."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any

from mgcl.catalogue import load
from mgcl.records import Setting, TrialRun, Value
from mgcl.reporting.statistics import Estimate, block_estimate
from mgcl.tasks import Metric, Task

Column = tuple[Value, ...]
"""Values of the task's ``COLUMNS``."""

NO_GROUPS: Mapping[str, Sequence[str]] = MappingProxyType({})
OTHER = "Other"
"""Heading of the rows whose variant is in no group."""


@dataclass(frozen=True)
class Entry:
    """What a table says where a variant meets a column."""

    estimate: Estimate | None
    """None where every trial failed."""
    runs: tuple[TrialRun, ...]
    """Failed ones included."""
    expected: int
    """Trials that a whole entry of its table has: every block and seed in it."""

    @property
    def failed(self) -> int:
        """Trials that ended in an error."""
        return sum(run.status == "FAILED" for run in self.runs)

    @property
    def finished(self) -> int:
        """Trials that its estimate is made of."""
        return len(self.runs) - self.failed

    @property
    def complete(self) -> bool:
        """Whether every block and seed of the table is in it: only then it compares with the rest of its column."""
        return self.finished == self.expected


@dataclass(frozen=True)
class Table:
    """Everything recorded in one setting, by one metric."""

    setting: Setting
    metric: Metric
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    entries: dict[tuple[str, Column], Entry]
    variants: Mapping[str, str]
    """Row -> the variant that it is of: several rows are of one where their parameters differ."""
    searched: Mapping[str, str]
    """Row of values that a search chose -> the variant of its own values."""
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    """Headings under which its rows are printed, each with its rows; every row is in one."""

    @property
    def task(self) -> Task:
        """The task of its runs."""
        task: Task = load("task", self.setting.task)
        return task

    @property
    def ranked(self) -> bool:
        """Whether its metric is the first of its task."""
        return self.metric == self.task.METRICS[0]

    @property
    def runs(self) -> tuple[TrialRun, ...]:
        """Every run in the table, once."""
        return tuple({run.key: run for entry in self.entries.values() for run in entry.runs}.values())

    @property
    def blocks(self) -> int:
        """Blocks that its runs are of."""
        return len({run.block for run in self.runs})

    @property
    def setting_columns(self) -> dict[str, object]:
        """What a csv says of the table in each of its lines."""
        setting = self.setting
        named = {"dataset": setting.dataset, "backbone": setting.backbone, "bank": setting.bank}
        return {**named, **dict(setting.drawn)}

    def column_values(self, column: Column) -> dict[str, object]:
        """What a csv says of a column."""
        return dict(zip(self.task.COLUMNS, column, strict=True))

    def name_of(self, column: Column) -> str:
        """What stands above a column."""
        return self.task.column_name(column)

    def shown(self, row: str, column: Column) -> float | None:
        """An entry's mean, as printed; None: there is none, or it is not whole."""
        entry = self.entries.get((row, column))
        return float(self.metric.text(entry.estimate.mean)) if entry and entry.estimate and entry.complete else None

    def is_best(self, row: str, column: Column) -> bool:
        """Whether an entry's mean, as printed, is the best of its column's whole entries, of which it beats one."""
        means = [mean for each in self.rows if (mean := self.shown(each, column)) is not None]
        own = self.shown(row, column)
        if own is None or min(means) == max(means):
            return False
        return own == (max(means) if self.metric.higher_is_better else min(means))


def build(
    runs: Iterable[TrialRun], order: Sequence[str] = (), groups: Mapping[str, Sequence[str]] = NO_GROUPS
) -> tuple[Table, ...]:
    """One table per setting and metric; of a method's versions only the newest counts, and settings are never mixed.

    Args:
        runs: of one sweep, one a key.
        order: variant names as they should stand; others follow by name.
        groups: heading -> the variants whose rows are printed under it; others stand last, under ``OTHER``.
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
    """The tables of each setting, which differ in their metric."""
    return [list(each) for _, each in groupby(tables, key=lambda table: table.setting)]


def newest_versions(runs: Sequence[TrialRun]) -> list[TrialRun]:
    """Those of the highest version of their method, and of their task, that is among them."""
    methods: dict[str, int] = {}
    tasks: dict[str, int] = {}
    for run in runs:
        methods[run.method] = max(run.version, methods.get(run.method, 0))
        tasks[run.setting.task] = max(run.setting.protocol, tasks.get(run.setting.task, 0))
    return [
        run for run in runs if run.version == methods[run.method] and run.setting.protocol == tasks[run.setting.task]
    ]


def _place_of(setting: Setting) -> tuple[str, ...]:
    """By which settings are sorted."""
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
            continue  # recorded before the task measured it
        entries = {
            place: Entry(_estimate(each, metric), tuple(each), expected[place[1]]) for place, each in members.items()
        }
        headed = grouped(rows, named, groups)
        yield Table(setting, metric, tuple(rows), tuple(columns), entries, variants, searched, headed)


def grouped(
    rows: Sequence[str], named: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Headings and the rows under each, in their order; ``named`` is the variant of each row."""
    headings = {variant: heading for heading, each in groups.items() for variant in each}
    of = {row: headings.get(named[row], OTHER) for row in rows}
    return tuple(
        (heading, tuple(row for row in rows if of[row] == heading))
        for heading in (*groups, OTHER)
        if heading in of.values()
    )


def _labels(runs: Sequence[TrialRun]) -> dict[tuple[str, str], str]:
    """(key, variant) -> row label: the variant's name, and what tells apart trials that share it and no more."""
    by_variant: defaultdict[str, list[TrialRun]] = defaultdict(list)
    for run in runs:
        for variant in run.variants:
            by_variant[variant].append(run)
    labels = {}
    for variant, each in by_variant.items():
        names = sorted({name for run in each for name in run.parameters})
        if any(variant in run.searched for run in each):
            names = []  # they differ from block to block: that is what they are
        differing = [name for name in names if len({run.parameters.get(name) for run in each}) > 1]
        for run in each:
            suffix = ", ".join(f"{name}={run.parameters.get(name)}" for name in differing)
            labels[run.key, variant] = f"{variant} ({suffix})" if suffix else variant
    return labels


def _estimate(runs: Sequence[TrialRun], metric: Metric) -> Estimate | None:
    """Blocks in order, seeds in order: the sums are the same whatever order the runs came in."""
    blocks: defaultdict[Hashable, list[Any]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.pooled):
        if metric.measured(run.scores):
            blocks[run.block].extend(metric.units(run.scores))
    return block_estimate(blocks, metric.interval, metric.of) if blocks else None
