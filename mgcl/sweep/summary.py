"""A table's rows as MLflow runs: what its page compares at a glance, each the parent of its trials."""

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from mlflow.entities import Metric, Param, Run, RunTag, ViewType

from mgcl.records import TrialRun, canonical_json
from mgcl.reporting.tables import Table, build, name_of
from mgcl.sweep.store import RANK, ROWS, answering, search, set_rows_view
from mgcl.sweep.tracking import Tracking
from mgcl.sweep.tracking import parents as sweep_runs
from mgcl.sweep.variants import VARIANTS

_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class SummaryRow:
    """One row of one table."""

    name: str
    """As the table has it."""
    parameters: Mapping[str, str]
    """The setting, the method and those of its parameters that all trials of the row share."""
    metrics: Mapping[str, float]
    """For each column its accuracy and half-width, in 0..1, and its finished trials."""
    rank: int
    """Its place among all rows, from 1."""
    trials: tuple[TrialRun, ...]
    """That it is made of, failed ones included."""

    @property
    def key(self) -> str:
        """Names the row across sweeps: MLflow's parameters never change, so another value is another row."""
        return hashlib.sha256(canonical_json([self.name, dict(self.parameters)]).encode()).hexdigest()[:16]


def summarise(tables: Sequence[Table]) -> tuple[SummaryRow, ...]:
    """Every row of some tables, in their order."""
    places = [(table, name) for table in tables for name in table.rows]
    return tuple(_row(table, name, rank) for rank, (table, name) in enumerate(places, start=1))


def write(store: Tracking, runs: Sequence[TrialRun]) -> None:
    """Bring a sweep's row runs up to date: kept in place, made, or deleted; the page then opens on them.

    Args:
        store: of the sweep.
        runs: all its completed trials, one a key.

    Raises:
        TrackingError: the store does not answer.
    """
    tables = build(runs, tuple(VARIANTS))
    rows = summarise(tables)
    with answering(store.uri):
        recorded: dict[str, Run] = {}
        stale = []
        wanted = {row.key: row for row in rows}
        for run in search(store.client, store.experiment_id, ROWS):
            key = run.data.tags.get("row_key", "")
            if key in recorded or key not in wanted or not _can_stay(run, wanted[key]):
                stale.append(run.info.run_id)
            else:
                recorded[key] = run
        ids = {key: _write_row(store, row, recorded.get(key)) for key, row in wanted.items()}
        parents = {trial.run_id: ids[row.key] for row in rows for trial in row.trials if _first_of(trial, row)}
        gone = search(store.client, store.experiment_id, ROWS, ViewType.DELETED_ONLY)  # by hand, or by an earlier call
        former = [*sweep_runs(store.client, store.experiment_id), *gone]
        _adopt(store, parents, [*(run.info.run_id for run in former), *stale])
        for run_id in stale:
            store.client.delete_run(run_id)
        columns = sorted({column for table in tables for column in table.columns})
        set_rows_view(store.client, store.experiment_id, [f"accuracy {name_of(column)}" for column in columns])


def _row(table: Table, name: str, rank: int) -> SummaryRow:
    entries = {column: table.entries[name, column] for column in table.columns if (name, column) in table.entries}
    trials = tuple(run for entry in entries.values() for run in entry.runs)
    method = trials[0]
    shared = {key: str(value) for key, value in method.parameters.items()
              if all(run.parameters.get(key) == value for run in trials)}  # fmt: skip
    setting = {key: str(value) for key, value in asdict(table.setting).items()}
    about = {"variant": name, "method": method.method, "version": str(method.version)}
    metrics: dict[str, float] = {}
    for column, entry in entries.items():
        metrics[f"trials {name_of(column)}"] = entry.finished
        if entry.estimate:
            metrics[f"accuracy {name_of(column)}"] = round(entry.estimate.mean, 6)
            if not math.isnan(entry.estimate.half_width):
                metrics[f"half-width {name_of(column)}"] = round(entry.estimate.half_width, 6)
    return SummaryRow(name, setting | shared | about, metrics, rank, trials)


def _can_stay(run: Run, row: SummaryRow) -> bool:
    """A metric cannot be taken back, and a killed sweep may have left a run without its parameters."""
    return set(run.data.metrics) <= set(row.metrics) and run.data.params == dict(row.parameters)


def _first_of(trial: TrialRun, row: SummaryRow) -> bool:
    """Whether a row is the first of those that a trial stands in: a run has one parent."""
    return row.name == trial.variants[0] or row.name.startswith(f"{trial.variants[0]} (")


def _write_row(store: Tracking, row: SummaryRow, recorded: Run | None) -> str:
    """The row's run, up to date; what has not changed is not written again."""
    client, now = store.client, int(time.time() * 1000)
    if recorded is None:
        ended = int(1000 * max(trial.ended for trial in row.trials))  # as old as its trials: a report is no sweep
        tags = {"kind": "row", "row_key": row.key, _PARENT: store.parent_id}
        run_id = str(client.create_run(store.experiment_id, ended, tags, row.name).info.run_id)
    else:
        run_id = str(recorded.info.run_id)
    old = recorded.data.metrics if recorded else {}
    metrics = [Metric(name, value, now, 0) for name, value in row.metrics.items() if old.get(name) != value]
    params = [] if recorded else [Param(*each) for each in row.parameters.items()]
    labels = [] if recorded else [RunTag(*each) for each in row.parameters.items()]
    if metrics or params:
        client.log_batch(run_id, metrics, params, labels)
    place = f"{row.rank:04}"  # MLflow sorts tags as text
    if recorded is None or recorded.data.tags.get(RANK) != place:
        client.set_tag(run_id, RANK, place)
    if recorded is None:
        client.set_terminated(run_id, end_time=ended)
    return run_id


def _adopt(store: Tracking, parents: Mapping[str, str], former: Sequence[str]) -> None:
    """Give trials their row as parent; only those that still have another are written."""
    for parent in former:
        for run in list(search(store.client, store.experiment_id, f"tags.`{_PARENT}` = '{parent}'")):
            row_id = parents.get(run.info.run_id)
            if row_id:
                store.client.set_tag(run.info.run_id, _PARENT, row_id)
