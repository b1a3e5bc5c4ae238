"""Recorded trials as tables: variants as rows, the task's columns. The same runs give the same bytes."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import pandas as pd

from mgcl.catalogue import load
from mgcl.methods.variants import on_audio_alone
from mgcl.records import NO_TRANSPORT, Setting, TrialRun, Value
from mgcl.reporting.statistics import Estimate, block_estimate
from mgcl.tasks import Metric, Task

Column = tuple[Value, ...]
"""Values of the task's ``COLUMNS``."""


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
        """Blocks (few-shot: folds) that its runs are of."""
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
        return (
            round(self.metric.factor * entry.estimate.mean, 2) if entry and entry.estimate and entry.complete else None
        )

    def is_best(self, row: str, column: Column) -> bool:
        """Whether an entry's mean, as printed, is the best of its column's whole entries, of which it beats one."""
        means = [mean for each in self.rows if (mean := self.shown(each, column)) is not None]
        own = self.shown(row, column)
        if own is None or min(means) == max(means):
            return False
        return own == (max(means) if self.metric.higher_is_better else min(means))


def build(runs: Iterable[TrialRun], order: Sequence[str] = ()) -> tuple[Table, ...]:
    """One table per setting and metric; of a method's versions only the newest counts, and settings are never mixed.

    Args:
        runs: of one sweep, one a key.
        order: variant names as they should stand; others follow by name.
    """
    found: defaultdict[Setting, list[TrialRun]] = defaultdict(list)
    for run in newest_versions(sorted(runs, key=lambda run: run.key)):
        found[run.setting].append(run)
    return tuple(
        table
        for setting, each in sorted(found.items(), key=lambda item: _place_of(item[0]))
        for table in _tables(setting, each, order)
    )


def by_setting(tables: Sequence[Table]) -> list[list[Table]]:
    """The tables of each setting, which differ in their metric."""
    return [list(each) for _, each in groupby(tables, key=lambda table: table.setting)]


def frame(table: Table, *, best: str = "{}") -> pd.DataFrame:
    """What the table shows, as text.

    Args:
        table: to show.
        best: how the best entries of a column are marked, {} standing for their text.
    """
    cells = [
        [(best if table.is_best(row, column) else "{}").format(_cell(table, row, column)) for column in table.columns]
        for row in table.rows
    ]
    return pd.DataFrame(
        cells, index=pd.Index(table.rows, name="variant"), columns=[table.name_of(column) for column in table.columns]
    )


def markdown(table: Table) -> str:
    """The table with its caption, in GitHub's markdown."""
    return "\n".join(
        [
            frame(table, best="**{}**").to_markdown(disable_numparse=True),
            "",
            "  \n".join([*caption(table), *failures(table)]),
        ]
    )


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


def _tables(setting: Setting, runs: Sequence[TrialRun], order: Sequence[str]) -> Iterator[Table]:
    labels = _labels(runs)
    members: defaultdict[tuple[str, Column], list[TrialRun]] = defaultdict(list)
    for run in runs:
        for variant in run.variants:
            members[labels[run.key, variant], run.column].append(run)
    variants = {row: variant for (_, variant), row in labels.items()}
    own = {variant: each for run in runs for variant, each in run.searched.items()}
    searched = {row: own[variant] for row, variant in variants.items() if variant in own}
    rank = {name: index for index, name in enumerate(order)}
    rows = sorted({*labels.values()}, key=lambda row: (rank.get(searched.get(row, variants[row]), len(rank)), row))
    columns = sorted({column for _, column in members})
    expected = {
        column: math.prod(
            len(set(values)) for values in zip(*(run.pooled for run in runs if run.column == column), strict=True)
        )
        for column in columns
    }
    task: Task = load("task", setting.task)
    for metric in task.METRICS:
        if metric != task.METRICS[0] and not any(metric.name in run.scores for run in runs):
            continue  # recorded before the task measured it
        entries = {
            place: Entry(_estimate(each, metric, task.INTERVAL), tuple(each), expected[place[1]])
            for place, each in members.items()
        }
        yield Table(setting, metric, tuple(rows), tuple(columns), entries, variants, searched)


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
            names = []  # they differ from fold to fold: that is what they are
        differing = [name for name in names if len({run.parameters.get(name) for run in each}) > 1]
        for run in each:
            suffix = ", ".join(f"{name}={run.parameters.get(name)}" for name in differing)
            labels[run.key, variant] = f"{variant} ({suffix})" if suffix else variant
    return labels


def _estimate(runs: Sequence[TrialRun], metric: Metric, interval: Literal["t", "bootstrap"]) -> Estimate | None:
    """Blocks in order, seeds in order: the sums are the same whatever order the runs came in."""
    blocks: defaultdict[Hashable, list[float]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.pooled):
        if metric.name in run.scores:
            blocks[run.block].extend(run.scores[metric.name])
    return block_estimate(blocks, interval) if blocks else None


def _cell(table: Table, row: str, column: Column) -> str:
    entry = table.entries.get((row, column))
    if entry is None:
        return "not run"
    if entry.estimate is None:
        return "failed"
    mean, half_width = (table.metric.factor * each for each in (entry.estimate.mean, entry.estimate.half_width))
    text = f"{mean:.2f}" if math.isnan(half_width) else f"{mean:.2f} ± {half_width:.2f}"
    return text if entry.complete else f"{text} ({entry.finished} of {entry.expected} trials)"


def interval(table: Table, kind: str = "") -> str:
    """What its intervals are over, in words; ``kind``: of intervals of another kind than the means'."""
    unit, block = table.task.WORDS.unit, table.task.WORDS.block
    if table.blocks > 1:
        return f"95 % t interval over the means of {table.blocks} {block}s"
    names = {"t": "95 % t interval", "bootstrap": "95 % bootstrap interval (half its width)"}
    where = f"{unit}s of the one {block}" if block else f"{unit}s"
    return f"{names[kind or table.task.INTERVAL]} over the {where}"


def caption(table: Table) -> list[str]:
    """What the numbers are, on what, and what to know of them; a sentence or two a line."""
    setting, runs, words = table.setting, table.runs, table.task.WORDS
    over = f". {words.blocks_caveat}" if table.blocks > 1 else f": it covers the draw of {words.unit}s only."
    name = table.metric.name.capitalize() if table.metric.name.islower() else table.metric.name
    pooled = {each: sorted({run.pooled[index] for run in runs}) for index, each in enumerate(table.task.POOLED)}
    lines = [
        f"{name}{f' in {table.metric.symbol}' if table.metric.symbol else ''}: mean ± {interval(table)}{over}",
        table.task.caption(dict(setting.drawn), pooled),
        f"Data set {setting.dataset}, backbone {setting.backbone}, bank {setting.bank[:16]}.",
    ]
    if any(table.is_best(row, column) for row, column in table.entries):
        which = "highest" if table.metric.higher_is_better else "lowest"
        lines[0] += f" Bold: the {which} mean of a column, of cells that lack no trial."
    shares = [run.captions_naming_class for run in runs if run.captions_naming_class is not None]
    if shares:
        lines.append(f"{100 * max(shares):.1f} % of the captions contain a word of their class's name.")
    if any(on_audio_alone([run.searched.get(each, each) for each in run.variants], run.parameters) for run in runs):
        lines.append("The bank has no captions: rows that read them ran on audio alone (--audio-only).")
    devices = sorted({run.device for run in runs} - {""})
    if len(devices) > 1:
        lines.append(f"Devices are mixed ({', '.join(devices)}): accuracies may differ by one query in 1,000.")
    convergence = sum((run.convergence for run in runs), start=NO_TRANSPORT)
    if convergence.unconverged:
        lines.append(
            f"{convergence.unconverged:,} of {convergence.problems:,} transport problems missed their tolerance; "
            "cells.csv says where."
        )
    return lines


def failures(table: Table) -> list[str]:
    """A line a failed trial, with its error."""
    failed = [run for run in sorted(table.runs, key=lambda run: run.key) if run.status == "FAILED"]
    return [f"Failed: trial {run.key} ({', '.join(run.variants)}): {run.error.splitlines()[0]}" for run in failed]
