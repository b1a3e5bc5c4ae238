"""An MLflow store: connected to, searched, and its failures in one line."""

import json
import logging
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A store that is not there is said so after seconds, not minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

import sqlalchemy
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from mgcl.errors import TrackingError
from mgcl.home import home
from mgcl.sweep.variants import VARIANTS

for _name in ("alembic", "mlflow"):
    logging.getLogger(_name).setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it logs it raises too

PAGE = 1000
"""Runs or metrics that MLflow takes at once."""

_VIEW = "mgcl"
_COLUMNS = ("metrics.`accuracy`", "metrics.`validation_accuracy`", "params.`way`", "params.`shot`")


def default_uri() -> str:
    """``$MLFLOW_TRACKING_URI``, or a SQLite file in ``MGCL_HOME``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home() / 'mlflow.db'}"


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Turn whatever a store raises into one line that names it."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        first: BaseException = error
        while first.__cause__:  # SQLAlchemy and MLflow wrap the database's own words
            first = first.__cause__
        reason = (str(first).strip() or type(first).__name__).splitlines()[0][:200]
        raise TrackingError(
            f"{uri}: the MLflow store does not answer ({reason}); check that its server runs, or that its file and the "
            "folder around it can be written and have room"
        ) from None


def connect(uri: str) -> MlflowClient:
    """A client whose store has answered once. MLflow itself would retry a broken database for an hour."""
    if _is_database(uri):
        engine = sqlalchemy.create_engine(uri)
        try:
            sqlalchemy.inspect(engine).get_table_names()
        finally:
            engine.dispose()
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def alone(uri: str) -> AbstractContextManager[object]:
    """Of several drivers that start on a new SQLite file, one makes tables and experiment while the others wait."""
    if not uri.startswith("sqlite"):
        return nullcontext()
    database = Path(str(sqlalchemy.make_url(uri).database)).absolute()
    database.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{database}.lock")


def _is_database(uri: str) -> bool:
    return uri.split(":", 1)[0].split("+", 1)[0] in {"sqlite", "postgresql", "mysql", "mssql"}


def exists(uri: str) -> bool:
    """False for a SQLite file that is not there yet."""
    if not uri.startswith("sqlite"):
        return True
    database = sqlalchemy.make_url(uri).database
    return bool(database) and Path(str(database)).exists()


def artifacts(uri: str) -> str | None:
    """Beside a SQLite file; elsewhere the server knows."""
    if not uri.startswith("sqlite"):
        return None
    return (Path(str(sqlalchemy.make_url(uri).database)).absolute().parent / "artifacts").as_uri()


def search(client: MlflowClient, experiment_id: str, filter_string: str) -> Iterator[Run]:
    """Every run that a filter finds, oldest first, page by page."""
    token = None
    while True:
        page = client.search_runs(
            [experiment_id],
            filter_string,
            ViewType.ACTIVE_ONLY,
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def set_view(client: MlflowClient, experiment_id: str, group_by: str) -> None:
    """Give an experiment the view that ``runs_page`` opens, as if somebody had shared it from MLflow's page.

    Args:
        client: of the store.
        experiment_id: in it.
        group_by: the parameter whose values are the groups.
    """
    view = {
        "searchFilter": "tags.kind != 'sweep'",
        "selectedColumns": _COLUMNS,
        "groupBy": {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": group_by}]},
        "groupsExpanded": {f"param.{group_by}.{name}": False for name in VARIANTS},  # a line a variant, as in a table
    }
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{_VIEW}", json.dumps(view))


def runs_page(server: str, experiment_id: str) -> str:
    """Where an MLflow server shows an experiment's runs; its front page opens in another view."""
    page = f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={_VIEW}"
    return server.rstrip("/") + page


def where_to_look(uri: str, experiment_id: str) -> str:
    """How to open an experiment's runs in a browser: an address, or a command."""
    if uri.startswith("http"):
        return runs_page(uri, experiment_id)
    return "mgcl ui" if uri == default_uri() else f"mgcl ui --tracking-uri {shlex.quote(uri)}"


def newest_experiment(uri: str) -> str | None:
    """The experiment with the youngest run; None: there is none.

    Raises:
        TrackingError: the store cannot be opened.
    """
    if not exists(uri):
        return None
    with answering(uri):
        client = connect(uri)
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = client.search_runs(ids, max_results=1, order_by=["attributes.start_time DESC"])
        return str(runs[0].info.experiment_id) if runs else None


def read_artifact(client: MlflowClient, run_id: str, name: str) -> str | None:
    """A run's file as text; None: it has no such file."""
    if not any(file.path == name for file in client.list_artifacts(run_id)):
        return None
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")
