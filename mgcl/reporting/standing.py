"""Progress of a sweep, for the top of a report: failed, missing and left-out trials."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from mgcl.catalogue import load
from mgcl.records import TrialRun
from mgcl.reporting.tables import Table, newest_versions
from mgcl.tasks import Task


def markdown(runs: Sequence[TrialRun], tables: Sequence[Table], planned: Collection[str] | None) -> str:
    """List the counts, then every failed trial, every incomplete row, and how many older trials are left out.

    Args:
        runs: recorded runs of the sweep, one per trial key.
        tables: tables that were built from these runs.
        planned: keys of all trials of the sweep's latest command; None: not known, then missing trials are not counted.
    """
    failed = sorted((run for run in runs if run.status == "FAILED"), key=lambda run: run.key)
    lines = [f"**{_counts(runs, failed, planned)}**"]
    lines += [f"- failed: {_trial(run)}" for run in failed]
    lines += [f"- {gap}" for table in tables if table.ranked for gap in _gaps(table, several=len(tables) > 1)]
    older = len(runs) - len(newest_versions(runs))
    if older:
        lines.append(f"- left out: {older} trials of older versions of a method")
    return "\n".join([lines[0], "", *lines[1:]]).strip()


def _counts(runs: Sequence[TrialRun], failed: Sequence[TrialRun], planned: Collection[str] | None) -> str:
    finished = f"{len(runs) - len(failed)} trials finished, {len(failed)} failed"
    if planned is None:
        return f"{finished}; how many the sweep has was not told."
    missing = len(set(planned) - {run.key for run in runs})
    if missing:
        return f"Not done: {missing} of the {len(set(planned))} trials of the latest command are missing. {finished}."
    if failed:
        return f"Not whole: {finished}; none is missing."
    return f"{finished}, none is missing."


def _trial(run: TrialRun) -> str:
    task: Task = load("task", run.setting.task)
    pooled = [f"{name} {value}" for name, value in zip(task.POOLED, run.pooled, strict=True)]
    return f"{', '.join([*run.variants, task.column_name(run.column), *pooled])} (trial {run.key})"


def _gaps(table: Table, *, several: bool) -> list[str]:
    """One line per row that lacks trials which other rows of its table have."""
    where = f" (bank {table.setting.bank[:16]}, {table.task.heading(dict(table.setting.drawn))})" if several else ""
    lacking: defaultdict[str, list[str]] = defaultdict(list)
    for row in table.rows:
        for column in table.columns:
            entry = table.entries.get((row, column))
            if entry is None:
                lacking[row].append(f"{table.name_of(column)} was not run")
            elif not entry.complete:
                lacking[row].append(f"{table.name_of(column)} has {entry.finished} of {entry.expected} trials")
    return [f"{row}{where}: {', '.join(each)}" for row, each in lacking.items()]
