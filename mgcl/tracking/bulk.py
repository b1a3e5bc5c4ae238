"""Runs of an MLflow database, read and tagged in bulk.

MLflow makes an object of every tag, parameter and metric, about a hundred per trial, and sorts all runs again for every
page. The functions below read the same rows from the tables that every MLflow database has. A server's tables cannot be
reached: its runs are requested page by page (``store.search``).
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from mlflow.entities import LifecycleStage
from sqlalchemy import Connection, TableClause, column, select, table, text

from mgcl.databases import database_file

_AT_ONCE = 1000


def _table(name: str, *columns: str) -> TableClause:
    return table(name, *map(column, columns))


_RUNS = _table(
    "runs", "run_uuid", "experiment_id", "lifecycle_stage", "status", "start_time", "end_time", "artifact_uri"
)
_TAGS, _PARAMS = (_table(name, "run_uuid", "key", "value") for name in ("tags", "params"))
_METRICS = _table("latest_metrics", "run_uuid", "key", "value", "is_nan")


@dataclass(frozen=True)
class RunRecord:
    """What a run records, without MLflow's objects."""

    run_id: str
    status: str
    ended: float
    """Time of the end, in seconds since 1970; 0: it has not ended."""
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    """Last value per metric."""


def read(uri: str, experiment_id: str) -> Iterator[RunRecord]:
    """Yield the runs of an experiment that are not deleted, oldest first.

    Args:
        uri: address of a database, e.g. ``sqlite:///FILE``.
        experiment_id: ID of the experiment in this store.

    Raises:
        SQLAlchemyError: the database does not answer, or is no MLflow store.
    """
    with _connected(uri) as connection:
        runs = _RUNS.c
        of = (runs.experiment_id == int(experiment_id)) & (runs.lifecycle_stage == LifecycleStage.ACTIVE)
        oldest = select(runs.run_uuid, runs.status, runs.end_time).where(of).order_by(runs.start_time, runs.run_uuid)
        found = connection.execute(oldest).all()
        for start in range(0, len(found), _AT_ONCE):
            yield from _records(connection, found[start : start + _AT_ONCE])


def artifact_addresses(uri: str, run_ids: Sequence[str]) -> dict[str, str]:
    """ID of a run -> artifact address that the run was created with.

    Raises:
        SQLAlchemyError: the database does not answer, or is no MLflow store.
    """
    found: dict[str, str] = {}
    with _connected(uri) as connection:
        for start in range(0, len(run_ids), _AT_ONCE):
            wanted = _RUNS.c.run_uuid.in_(run_ids[start : start + _AT_ONCE])
            rows = connection.execute(select(_RUNS.c.run_uuid, _RUNS.c.artifact_uri).where(wanted))
            found |= {str(run_id): str(address) for run_id, address in rows}
    return found


def replace_tag(uri: str, key: str, former: Collection[str], values: Mapping[str, str]) -> None:
    """Change a tag of runs, each to its own value, where it has one of the former values.

    Args:
        uri: address of a database.
        key: name of the tag.
        former: values that are replaced.
        values: ID of a run -> new value.

    Raises:
        SQLAlchemyError: the database does not answer or cannot be written.
    """
    of_value: defaultdict[str, list[str]] = defaultdict(list)
    for run_id, value in values.items():
        of_value[value].append(run_id)
    tags = _TAGS.c
    with _connected(uri) as connection, connection.begin():
        for value, run_ids in of_value.items():
            for start in range(0, len(run_ids), _AT_ONCE):
                wanted = (tags.key == key) & tags.run_uuid.in_(run_ids[start : start + _AT_ONCE])
                connection.execute(_TAGS.update().where(wanted & tags.value.in_(list(former))).values(value=value))


def analyse(uri: str) -> None:
    """Let SQLite count what its tables hold; another database counts by itself.

    Without these counts SQLite joins runs and a metric run by run: MLflow's page then takes 100 times as long to sort
    10,000 trials by a metric.

    Raises:
        SQLAlchemyError: the database does not answer or cannot be written.
    """
    if database_file(uri) is None:
        return
    with _connected(uri) as connection, connection.begin():
        connection.execute(text(f"PRAGMA analysis_limit = {_AT_ONCE}"))  # a sample, whatever the size
        connection.execute(text("ANALYZE"))


def _records(connection: Connection, found: Sequence[Any]) -> Iterator[RunRecord]:
    ids = [run_id for run_id, *_ in found]
    tags = _values(connection, _TAGS, ids)  # first: a run is complete once its last tag is written
    parameters, metrics = (_values(connection, each, ids) for each in (_PARAMS, _METRICS))
    for run_id, status, ended in found:
        yield RunRecord(run_id, status, (ended or 0) / 1000, tags[run_id], parameters[run_id], metrics[run_id])


def _values(connection: Connection, source: TableClause, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """ID of a run -> its keys with their values in a table."""
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for run_id, key, value, *is_nan in connection.execute(select(*source.c).where(source.c.run_uuid.in_(ids))):
        found[run_id][key] = math.nan if any(is_nan) else value
    return found


@contextmanager
def _connected(uri: str) -> Iterator[Connection]:
    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
