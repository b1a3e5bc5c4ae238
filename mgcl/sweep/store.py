"""An MLflow store: connected to, searched, and its failures in one line."""

import logging
import os
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

for _name in ("alembic", "mlflow"):
    logging.getLogger(_name).setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it logs it raises too

PAGE = 1000
"""Runs or metrics that MLflow takes at once."""


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
