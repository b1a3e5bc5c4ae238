"""Recorded trials as tables: variants as rows, way x shot as columns. The same runs give the same bytes."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from mgcl.evaluation.statistics import Estimate, accuracy_estimate
from mgcl.records import NO_TRANSPORT, SEARCHED, Setting, TrialRun

Column = tuple[int, int]
"""Way and shot."""


@dataclass(frozen=True)
class Entry:
    """What a table says where a variant meets a way and shot."""

    estimate: Estimate | None
    """None where every trial failed."""
    runs: tuple[TrialRun, ...]
    """Failed ones included."""
    expected: int
    """Trials that a whole entry of its table has: every fold and seed in it."""

    @property
    def failed(self) -> int:
        """Trials that ended in an error."""
        return sum(run.status == "FAILED" for run in self.runs)

    @property
    def finished(self) -> int:
        """Trials that its estimate is made of."""
        return len(self.runs) - self.failed

    @property
    def whole(self) -> bool:
        """Whether every fold and seed of the table is in it: only then it compares with the rest of its column."""
        return self.finished == self.expected


@dataclass(frozen=True)
class Table:
    """Everything recorded in one setting."""

    setting: Setting
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    entries: dict[tuple[str, Column], Entry]

    @property
    def runs(self) -> tuple[TrialRun, ...]:
        """Every run in the table, once."""
        return tuple({run.key: run for entry in self.entries.values() for run in entry.runs}.values())

    @property
    def setting_columns(self) -> dict[str, object]:
        """What a csv says of the table in each of its lines."""
        return {name: value for name, value in asdict(self.setting).items() if name != "protocol"}

    def is_best(self, row: str, column: Column) -> bool:
        """Whether an entry's mean, as printed, is the highest of its column's whole entries, of which it beats one."""
        means = {
            each: round(100 * entry.estimate.mean, 2)
            for (each, place), entry in self.entries.items()
            if place == column and entry.estimate and entry.whole
        }
        return row in means and means[row] == max(means.values()) > min(means.values())


def build(runs: Iterable[TrialRun], order: Sequence[str] = ()) -> tuple[Table, ...]:
    """One table a setting; of a method's versions only the newest counts, and settings are never mixed.

    Args:
        runs: of one sweep, one a key.
        order: variant names as they should stand; others follow by name.
    """
    by_setting: defaultdict[Setting, list[TrialRun]] = defaultdict(list)
    for run in newest_versions(sorted(runs, key=lambda run: run.key)):
        by_setting[run.setting].append(run)
    return tuple(_table(setting, each, order) for setting, each in sorted(by_setting.items(), key=_name_of_setting))


def name_of(column: Column) -> str:
    """What stands above it."""
    return f"{column[0]}-way {column[1]}-shot"


def frame(table: Table, *, best: str = "{}") -> pd.DataFrame:
    """What the table shows, as text.

    Args:
        table: to show.
        best: how the best entries of a column are marked, {} standing for their text.
    """
    cells = [
        [(best if table.is_best(row, column) else "{}").format(_cell(table.entries.get((row, column))))
         for column in table.columns]
        for row in table.rows
    ]  # fmt: skip
    return pd.DataFrame(
        cells, index=pd.Index(table.rows, name="variant"), columns=[name_of(column) for column in table.columns]
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
    """Those of the highest version of their method that is among them."""
    newest: dict[str, int] = {}
    for run in runs:
        newest[run.method] = max(run.version, newest.get(run.method, 0))
    return [run for run in runs if run.version == newest[run.method]]


def _name_of_setting(item: tuple[Setting, list[TrialRun]]) -> tuple[str, ...]:
    setting = item[0]
    return (
        *map(str, (setting.dataset, setting.backbone, setting.bank, setting.folds, setting.split)),
        f"{setting.protocol:06}",
        f"{setting.queries:06}",
        f"{setting.episodes:06}",
    )


def _table(setting: Setting, runs: Sequence[TrialRun], order: Sequence[str]) -> Table:
    labels = _labels(runs)
    members: defaultdict[tuple[str, Column], list[TrialRun]] = defaultdict(list)
    for run in runs:
        for variant in run.variants:
            members[labels[run.key, variant], (run.way, run.shot)].append(run)
    rank = {name: index for index, name in enumerate(order)}
    rows = sorted({row for row, _ in members}, key=lambda row: (rank.get(row.split(" ")[0], len(rank)), row))
    columns = sorted({column for _, column in members})
    expected = len({run.fold for run in runs}) * len({run.seed for run in runs})
    entries = {place: Entry(_estimate(each), tuple(each), expected) for place, each in members.items()}
    return Table(setting, tuple(rows), tuple(columns), entries)


def _labels(runs: Sequence[TrialRun]) -> dict[tuple[str, str], str]:
    """(key, variant) -> row label: the variant's name, and what tells apart trials that share it and no more."""
    by_variant: defaultdict[str, list[TrialRun]] = defaultdict(list)
    for run in runs:
        for variant in run.variants:
            by_variant[variant].append(run)
    labels = {}
    for variant, each in by_variant.items():
        names = sorted({name for run in each for name in run.parameters})
        if SEARCHED in variant:
            names = []  # they differ from fold to fold: that is what they are
        differing = [name for name in names if len({run.parameters.get(name) for run in each}) > 1]
        for run in each:
            suffix = ", ".join(f"{name}={run.parameters.get(name)}" for name in differing)
            labels[run.key, variant] = f"{variant} ({suffix})" if suffix else variant
    return labels


def _estimate(runs: Sequence[TrialRun]) -> Estimate | None:
    """Folds in order, seeds in order: the sums are the same whatever order the runs came in."""
    episodes: defaultdict[int, list[float]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.fold, run.seed)):
        if run.status == "FINISHED":
            episodes[run.fold].extend(run.accuracies)
    return accuracy_estimate(episodes) if episodes else None


def _cell(entry: Entry | None) -> str:
    if entry is None:
        return "not run"
    if entry.estimate is None:
        return "failed"
    mean, half_width = 100 * entry.estimate.mean, 100 * entry.estimate.half_width
    text = f"{mean:.2f}" if math.isnan(half_width) else f"{mean:.2f} ± {half_width:.2f}"
    return text if entry.whole else f"{text} ({entry.finished} of {entry.expected} trials)"


def caption(table: Table) -> list[str]:
    """What the numbers are, on what, and what to know of them; a sentence or two a line."""
    setting, runs = table.setting, table.runs
    folds, seeds = sorted({run.fold for run in runs}), sorted({run.seed for run in runs})
    if len(folds) > 1:
        interval = (
            f"95 % t interval over the means of {len(folds)} folds. Folds share classes, so it is approximate and "
            "likely too short."
        )
    else:
        interval = "95 % t interval over the episodes of the one fold: it covers the draw of episodes only."
    lines = [
        f"Accuracy in %: mean ± {interval}",
        f"{setting.episodes} episodes a fold and seed, {setting.queries} queries a class, folds: {setting.folds}, "
        f"split: {setting.split}, seeds: {', '.join(map(str, seeds))}.",
        f"Data set {setting.dataset}, backbone {setting.backbone}, bank {setting.bank[:16]}.",
    ]
    if any(table.is_best(row, column) for row, column in table.entries):
        lines[0] += " Bold: the highest mean of a column, of cells that lack no trial."
    shares = [run.captions_naming_class for run in runs if run.captions_naming_class is not None]
    if shares:
        lines.append(f"{100 * max(shares):.1f} % of the captions contain a word of their class's name.")
    if any(run.parameters.get("fusion") == "audio" and set(run.variants) - {"audio-only"} for run in runs):
        lines.append("The bank has no captions: every row but caption-only's ran on audio alone (--audio-only).")
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
