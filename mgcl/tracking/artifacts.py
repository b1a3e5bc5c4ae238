"""Artifact files of runs, found relative to the database's present folder.

MLflow stores absolute addresses. In a store of ours, ``FOLDER/mlflow.db`` with ``FOLDER/artifacts``, they are read
relative to the database. A folder can thus be moved, renamed or copied, and a copy never changes its original.
"""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import sqlalchemy
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy import column, table

from mgcl.databases import database_file

_FOLDER = "artifacts"


def artifacts(uri: str) -> str | None:
    """Address of the artifacts of new experiments: beside a SQLite file. None: the server chooses."""
    file = database_file(uri)
    return (file.parent / _FOLDER).as_uri() if file else None


def files_of(client: MlflowClient, uri: str, run_id: str, *, writing: bool = False) -> ArtifactRepository:
    """Return the repository of a run's files, which lists, downloads and adds files.

    Args:
        client: client of the store.
        uri: present address of the store.
        run_id: ID of the run in this store.
        writing: whether files are to be added; a store that is a copy then never writes to its original.
    """
    address = str(client.get_run(run_id).info.artifact_uri)
    return get_artifact_repository(current(address, uri, writing=writing), tracking_uri=uri)


def current(address: str, uri: str, *, writing: bool = False) -> str:
    """Translate the artifact address that a run was created with into its address in a store that is now at ``uri``.

    Args:
        address: artifact address in the run's record.
        uri: present address of the store.
        writing: whether files are to be added; the result is then never in a store that this one is a copy of.
    """
    old, file = _local(address), database_file(uri)
    if old is None or file is None or len(old.parents) < 2:
        return address
    root = old.parents[1]  # FOLDER/artifacts/RUN/artifacts
    if old.name != _FOLDER or not _moved(root, file):
        return address
    new = file.parent / _FOLDER / old.relative_to(root)
    return new.as_uri() if writing or _seen(new) or not _seen(old) else address


def readdress(uri: str) -> None:
    """Update the addresses in the database of a moved store, for MLflow's own page and programs.

    Other stores are not changed.
    """
    file = database_file(uri)
    if file is None:
        return
    experiments = table("experiments", column("experiment_id"), column("artifact_location"))
    runs = table("runs", column("run_uuid"), column("experiment_id"), column("artifact_uri"))
    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.begin() as connection:
            for number, address in connection.execute(sqlalchemy.select(experiments)).all():
                root = _local(address)
                if root is None or not _moved(root, file):
                    continue
                there = experiments.update().where(experiments.c.experiment_id == number)
                connection.execute(there.values(artifact_location=artifacts(uri)))
                of_it = sqlalchemy.select(runs.c.run_uuid, runs.c.artifact_uri).where(runs.c.experiment_id == number)
                for run_id, old in connection.execute(of_it).all():
                    if old and (new := current(old, uri)) != old:
                        connection.execute(runs.update().where(runs.c.run_uuid == run_id).values(artifact_uri=new))
    finally:
        engine.dispose()


def read_artifact(address: str, uri: str, name: str) -> str | None:
    """Return a run's file as text, or None if the run has no such file.

    Args:
        address: artifact address in the run's record.
        uri: present address of the store.
        name: name of the file.
    """
    files = get_artifact_repository(current(address, uri), tracking_uri=uri)
    if not any(file.path == name for file in files.list_artifacts()):
        return None
    with tempfile.TemporaryDirectory() as folder:
        files.download_artifacts(name, folder)  # type: ignore[no-untyped-call]
        return (Path(folder) / name).read_text(encoding="utf-8")


def write_artifact(address: str, uri: str, name: str, text: str) -> None:
    """Write a text as a file of a run; a file of the same name is replaced.

    Args:
        address: artifact address in the run's record.
        uri: present address of the store.
        name: name of the file.
        text: content of the file.
    """
    files = get_artifact_repository(current(address, uri, writing=True), tracking_uri=uri)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8")
        files.log_artifact(str(file))  # type: ignore[no-untyped-call]


def _local(address: str) -> Path | None:
    parts = urlsplit(address)
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        return None
    return Path(url2pathname(parts.path) if parts.scheme else address)


def _moved(root: Path, file: Path) -> bool:
    """Whether ``root`` is a former artifact folder of the store whose database is now ``file``."""
    new = file.parent / _FOLDER
    if root.name != _FOLDER or os.path.realpath(root) == os.path.realpath(new):
        return False
    return _seen(new) or not _seen(root) or _seen(root.parent / file.name)


def _seen(path: Path) -> bool:
    return os.access(path, os.F_OK)  # Path.exists raises in other users' folders; these hold none of our files
