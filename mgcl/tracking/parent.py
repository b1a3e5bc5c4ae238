"""A sweep's parent run: the progress of its driver, and the rows that its report compares."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from mgcl.records import TrialRun
from mgcl.tracking.artifacts import read_artifact
from mgcl.tracking.store import recorded, search

PROGRESS = "progress.json"
"""Name of the artifact that holds ``Progress``."""

COMPARISONS = "comparisons"
"""Tag that names the reference row and its baselines."""

_PARENT = "tags.kind = 'sweep'"
_SILENT_SECONDS = 30


@dataclass(frozen=True)
class Progress:
    """Last progress report of a driver."""

    keys: Sequence[str]
    """Keys of all trials of its command, recorded or not."""
    host: str
    started: float
    """Start of the driver, in seconds since 1970."""
    said: float
    """Time of this report, in seconds since 1970."""
    running: Sequence[tuple[str, str, str, float]]
    """Trial key, name of the trial's run, host of the worker, and start in seconds since 1970."""
    ended: bool = False
    note: str = ""
    """Problem of the parent run that held the report: it was deleted, or is missing. Empty: there is none."""
    lacking: Sequence[str] = ()
    """Machines that workers wait for and the cluster's cloud refuses, in its words."""

    @property
    def at_work(self) -> bool:
        """Whether the driver seems to be running: it reports every few seconds as long as MLflow answers."""
        return not self.ended and time.time() - self.said < _SILENT_SECONDS


def last_progress(sweep: str, uri: str) -> Progress | None:
    """Return the last report of the sweep's latest driver, or None if the sweep never ran.

    Raises:
        TrackingError: the store cannot be opened, or the sweep's experiment was deleted.
    """
    with recorded(sweep, uri) as found:
        return progress_in(found[0], uri, found[1]) if found else None


def comparisons(sweep: str, uri: str) -> tuple[str, ...]:
    """Return the reference row that a sweep's file names, followed by its baselines; () if the store lacks them.

    Raises:
        TrackingError: the store cannot be opened, or the sweep's experiment was deleted.
    """
    with recorded(sweep, uri) as found:
        runs = parents(*found) if found else ()
        named = (run.data.tags[COMPARISONS] for run in runs if COMPARISONS in run.data.tags)
        return tuple(json.loads(next(named, "[]")))


def progress_of(runs: Sequence[TrialRun]) -> Progress | None:
    """Reconstruct a sweep's progress from its trials, for a sweep without parent run; None if there are no trials."""
    if not runs:
        return None
    ended = [run.ended for run in runs]
    started = min(run.ended - (run.seconds or 0) for run in runs)
    note = "its parent run is gone, and with it what was planned: only what is recorded is counted"
    return Progress([run.key for run in runs], "a machine not known", started, max(ended), (), True, note)


def parents(client: MlflowClient, experiment_id: str) -> Iterator[Run]:
    """Yield a sweep's parent runs, and after them the deleted ones, newest first.

    The files of a deleted run stay until MLflow's garbage collection.
    """
    yield from search(client, experiment_id, _PARENT)
    yield from reversed(list(search(client, experiment_id, _PARENT, ViewType.DELETED_ONLY)))


def progress_in(client: MlflowClient, uri: str, experiment_id: str) -> Progress | None:
    """Return the last report of an experiment's latest driver, or None if there is none."""
    found = list(parents(client, experiment_id))
    for run in found:
        if text := read_artifact(str(run.info.artifact_uri), uri, PROGRESS):
            deleted = found[0].info.lifecycle_stage == "deleted"
            note = "its parent run was deleted; the next start makes a new one, and its trials count" if deleted else ""
            return replace(Progress(**json.loads(text)), note=note)
    return None


def parent_of(client: MlflowClient, experiment_id: str, sweep: str) -> str:
    """Return the ID of the sweep's parent run; create the run if it is missing.

    The run is finished from the start, so that a killed driver cannot leave it running.
    """
    for run in search(client, experiment_id, _PARENT):
        return str(run.info.run_id)
    run_id = str(client.create_run(experiment_id, tags={"kind": "sweep"}, run_name=sweep).info.run_id)
    client.set_terminated(run_id)
    return run_id
