"""A table's rows as MLflow runs, which MLflow's page compares. A row's run is the parent of its trials."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow.entities import Metric, Param, Run, RunTag, ViewType

from mgcl.methods.variants import VARIANTS
from mgcl.records import TrialRun, digest
from mgcl.reporting.tables import Table, build, by_setting
from mgcl.tracking.bulk import analyse, replace_tag
from mgcl.tracking.parent import parents as sweep_runs
from mgcl.tracking.record import Tracking
from mgcl.tracking.store import RANK, ROWS, answering, is_database, search, set_rows_view

_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class SummaryRow:
    """One row of one table."""

    name: str
    """Name of the row in the table."""
    parameters: Mapping[str, str]
    """Setting, method, and the method's parameters that all trials of the row share."""
    metrics: Mapping[str, float]
    """Mean and half-width per column, unscaled, and the number of finished trials per column."""
    rank: int
    """Position among all rows, from 1."""
    trials: tuple[TrialRun, ...]
    """Trials of the row, including failed ones."""
    variant: str
    """Variant that the row shows."""

    @property
    def key(self) -> str:
        """Digest that identifies the row across sweeps. MLflow's parameters cannot change: a new value is a new row."""
        return digest([self.name, dict(self.parameters)])[:16]


def summarise(tables: Sequence[Table]) -> tuple[SummaryRow, ...]:
    """Return the rows of all tables, in the tables' order."""
    places = [(each, name) for each in by_setting(tables) for name in each[0].rows]
    return tuple(_row(each, name, rank) for rank, (each, name) in enumerate(places, start=1))


def write(store: Tracking, runs: Sequence[TrialRun]) -> None:
    """Update, create or delete a sweep's row runs, and let MLflow's page open on them.

    Args:
        store: tracking of the sweep.
        runs: all completed trials of the sweep, one per key.

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
        parents = {
            trial.run_id: ids[row.key] for row in rows for trial in row.trials if row.variant == trial.variants[0]
        }
        gone = search(store.client, store.experiment_id, ROWS, ViewType.DELETED_ONLY)  # by hand, or by an earlier call
        former = [*sweep_runs(store.client, store.experiment_id), *gone]
        _adopt(store, parents, [*(run.info.run_id for run in former), *stale])
        for run_id in stale:
            store.client.delete_run(run_id)
        shown = [f"{table.metric.name} {table.name_of(column)}" for table in tables for column in table.columns]
        set_rows_view(store.client, store.experiment_id, list(dict.fromkeys(shown)))
        analyse(store.uri)


def _row(tables: Sequence[Table], name: str, rank: int) -> SummaryRow:
    """Summarise one row over the tables of one setting, one table per metric."""
    table = tables[0]
    entries = {column: table.entries[name, column] for column in table.columns if (name, column) in table.entries}
    trials = tuple(run for entry in entries.values() for run in entry.runs)
    method = trials[0]
    shared = {key: str(value) for key, value in method.parameters.items()
              if all(run.parameters.get(key) == value for run in trials)}  # fmt: skip
    setting = {key: str(value) for key, value in table.setting_columns.items()}
    about = {"variant": name, "method": method.method, "version": str(method.version)}
    metrics: dict[str, float] = {f"trials {table.name_of(column)}": entry.finished for column, entry in entries.items()}
    for each in tables:
        for column in entries:
            if estimate := each.entries[name, column].estimate:
                metrics[f"{each.metric.name} {each.name_of(column)}"] = round(estimate.mean, 6)
                if not math.isnan(estimate.half_width):
                    metrics[f"{_half_width(each)} {each.name_of(column)}"] = round(estimate.half_width, 6)
    return SummaryRow(name, setting | shared | about, metrics, rank, trials, table.variants[name])


def _half_width(table: Table) -> str:
    """Metric name of the interval's half-width."""
    return "half-width" if table.ranked else f"{table.metric.name} half-width"


def _can_stay(run: Run, row: SummaryRow) -> bool:
    """Whether a recorded run can be updated to the row.

    It cannot if it has metrics that the row lacks, which MLflow cannot delete, or parameters that differ, as in a run
    that a killed sweep left without parameters.
    """
    return set(run.data.metrics) <= set(row.metrics) and run.data.params == dict(row.parameters)


def _write_row(store: Tracking, row: SummaryRow, recorded: Run | None) -> str:
    """Create or update the run of a row, and return its ID. Unchanged values are not written again."""
    client, now = store.client, int(time.time() * 1000)
    if recorded is None:
        # As old as its trials, so that a report does not look like a new sweep
        ended = int(1000 * max(trial.ended for trial in row.trials))
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
    """Set the row of each trial as its parent. Only trials with one of the former parents are written."""
    if is_database(store.uri):
        replace_tag(store.uri, _PARENT, former, parents)
        return
    for parent in former:
        for run in list(search(store.client, store.experiment_id, f"tags.`{_PARENT}` = '{parent}'")):
            row_id = parents.get(run.info.run_id)
            if row_id:
                store.client.set_tag(run.info.run_id, _PARENT, row_id)
