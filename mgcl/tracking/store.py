"""MLflow stores: connecting, searching, and reporting their failures in one line."""

import json
import logging
import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A store that does not answer is reported after seconds, not minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

import sqlalchemy
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment, Run, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from mgcl.databases import check_writable, database_file
from mgcl.errors import TrackingError, root_cause
from mgcl.home import home
from mgcl.masking import masked, scrubbed, without_user

for _name in ("alembic", "mlflow"):
    logging.getLogger(_name).setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it raises whatever it logs

PAGE = 1000
"""Largest number of runs or metrics in one request to MLflow."""

ROWS = "tags.kind = 'row'"
"""Filter for the runs that are rows of a table."""

RANK = "row"
"""Tag with a row's position among the rows."""

_VIEW = "mgcl"


def default_uri() -> str:
    """Address of the default store: ``$MLFLOW_TRACKING_URI``, or a SQLite file in ``MGCL_HOME``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home() / 'mlflow.db'}"


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Turn errors of a store into a ``TrackingError`` of one line that names the store.

    Raises:
        TrackingError: the store raised an error.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise TrackingError(f"{masked(uri)}: {scrubbed(_reason(error), uri)}") from None


_DRIVERS = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""Module that a database's address asks for -> what installs it."""


def _reason(error: BaseException) -> str:
    """Describe the root cause in its own words, with advice where these give none."""
    error = root_cause(error)  # SQLAlchemy and MLflow wrap the database's own message
    if isinstance(error, OSError) and error.filename:  # an artifact's file; the database works
        return f"{error.filename}: {error.strerror}; the store's files go there: make it writable, with room"
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        wheel = _DRIVERS.get(error.name or "", error.name)
        return f"the database's driver is not installed ({words}); `pip install '{wheel}'`"
    if isinstance(error, MlflowException) and not words.startswith("API request to"):
        return f"MLflow refuses: {words}"  # not shortened: its advice comes last
    return (
        f"the MLflow store does not answer ({words[:400]}); check that its server runs, or that its file and the "
        "folder around it can be written and have room"
    )


def connect(uri: str) -> MlflowClient:
    """Return a client of a store that has answered once. MLflow itself would retry a broken database for an hour."""
    if is_database(uri):
        engine = sqlalchemy.create_engine(uri)
        try:
            sqlalchemy.inspect(engine).get_table_names()
        finally:
            engine.dispose()
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def alone(uri: str) -> AbstractContextManager[object]:
    """Lock a SQLite file, so that only one driver creates tables and experiment in it while the others wait.

    Raises:
        MgclError: the file cannot be written, or ``uri`` is a SQLite address that names no file.
    """
    file = database_file(uri)
    if file is None:
        return nullcontext()
    check_writable(file)
    return FileLock(f"{file}.lock")


def reading(uri: str) -> AbstractContextManager[object]:
    """Wait while a driver creates tables. A read-only store is read without a lock."""
    lock = f"{database_file(uri)}.lock"
    return FileLock(lock) if os.access(lock, os.W_OK) else nullcontext()


def is_database(uri: str) -> bool:
    """Whether an address is a database's, and not a server's."""
    return uri.split(":", 1)[0].split("+", 1)[0] in {"sqlite", "postgresql", "mysql", "mssql"}


def exists(uri: str) -> bool:
    """Whether a store exists: false for a SQLite file that is missing or empty."""
    file = database_file(uri)
    return file is None or (file.exists() and file.stat().st_size > 0)


def experiment_of(client: MlflowClient, uri: str, name: str) -> Experiment | None:
    """Return the experiment of a sweep or search, or None if it never ran.

    Raises:
        TrackingError: the experiment was deleted; the message gives the command that restores it.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment and experiment.lifecycle_stage == "deleted":
        raise TrackingError(f"{was_deleted(uri, experiment)}, or name another --tracking-uri")
    return experiment


@contextmanager
def recorded(sweep: str, uri: str) -> Iterator[tuple[MlflowClient, str] | None]:
    """Open a sweep's store for reading: yield its client and the ID of the sweep's experiment, or None if it never ran.

    Raises:
        TrackingError: the store cannot be opened, or the experiment was deleted.
    """
    if not exists(uri):
        yield None
        return
    with answering(uri), reading(uri):
        client = connect(uri)
        experiment = experiment_of(client, uri, sweep)
        yield (client, str(experiment.experiment_id)) if experiment else None


def was_deleted(uri: str, experiment: Experiment) -> str:
    """Return a message that an experiment was deleted, with the command that restores it."""
    file = database_file(uri)
    address = f"sqlite:///{file}" if file else masked(uri)
    command = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
    secret = " (*** is the password)" if address != uri and not file else ""
    return (
        f"{masked(uri)}: the experiment {experiment.name!r} was deleted; bring it back with "
        f"`MLFLOW_TRACKING_URI={shlex.quote(address)} {command}`{secret}"
    )


def experiment_names(uri: str) -> tuple[str, ...]:
    """Return the names of a store's experiments, sorted; () if the store does not exist."""
    if not exists(uri):
        return ()
    with answering(uri), reading(uri):
        return tuple(sorted(each.name for each in connect(uri).search_experiments() if each.name != "Default"))


def no_sweep(uri: str, name: str) -> TrackingError:
    """Return the error for a sweep that a store does not record.

    The message lists the recorded sweeps, because the sweep may have been renamed.
    """
    names = experiment_names(uri)
    there = f"; recorded there: {', '.join(names)}" if names else ""
    return TrackingError(
        f"{masked(uri)}: no sweep called {name!r} is recorded there; run it with `mgcl sweep` first{there}"
    )


def search(
    client: MlflowClient, experiment_id: str, filter_string: str, view: int = ViewType.ACTIVE_ONLY
) -> Iterator[Run]:
    """Yield all runs that match a filter, oldest first, requested page by page."""
    token = None
    while True:
        page = client.search_runs(
            [experiment_id],
            filter_string,
            view,
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def set_view(
    client: MlflowClient, experiment_id: str, group_by: str, groups: Iterable[str], columns: Sequence[str]
) -> None:
    """Store the view that ``runs_page`` opens, in the form of a view shared from MLflow's page.

    Args:
        client: client of the store.
        experiment_id: ID of the experiment in this store.
        group_by: parameter whose values form the groups.
        groups: known values of this parameter.
        columns: metrics and parameters that are shown.
    """
    view = {
        "searchFilter": "tags.kind != 'sweep' AND tags.kind != 'row'",
        "selectedColumns": list(columns),
        "groupBy": {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": group_by}]},
        "groupsExpanded": {f"param.{group_by}.{name}": False for name in groups},  # one line per group
    }
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{_VIEW}", json.dumps(view))


def set_rows_view(client: MlflowClient, experiment_id: str, metrics: Sequence[str]) -> None:
    """Store a view for ``runs_page`` that shows the tables' rows, in the tables' order.

    Args:
        client: client of the store.
        experiment_id: ID of the experiment in this store.
        metrics: metrics of the rows, shown in one column each.
    """
    view = {
        "searchFilter": ROWS,
        "orderByKey": f"tags.`{RANK}`",
        "orderByAsc": True,
        "selectedColumns": [f"metrics.`{name}`" for name in metrics],
        "groupBy": None,
    }
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{_VIEW}", json.dumps(view))


def runs_page(server: str, experiment_id: str) -> str:
    """Address of an experiment's runs on an MLflow server, whose front page would open another view."""
    page = f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={_VIEW}"
    return without_user(server).rstrip("/") + page


def where_to_look(uri: str, experiment_id: str) -> str:
    """Address or command that opens an experiment's runs in a browser, without a password."""
    if uri.startswith("http"):
        return runs_page(uri, experiment_id)
    return "mgcl ui" if uri == default_uri() else f"mgcl ui --tracking-uri {shlex.quote(masked(uri))}"


def newest_experiment(uri: str) -> str | None:
    """Return the ID of the experiment with the newest run, or None if there is none.

    Raises:
        TrackingError: the store cannot be opened, or everything that it recorded was deleted.
    """
    if not exists(uri):
        return None
    with answering(uri), reading(uri):
        client = connect(uri)
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        if runs := ids and client.search_runs(ids, max_results=1, order_by=["attributes.start_time DESC"]):
            return str(runs[0].info.experiment_id)
        deleted = client.search_experiments(ViewType.DELETED_ONLY, order_by=["last_update_time DESC"])
    for experiment in deleted:
        raise TrackingError(f"{was_deleted(uri, experiment)}, or name another --tracking-uri")
    return None
