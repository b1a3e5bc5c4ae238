"""What a sweep's parent run keeps: how far its driver is, and what its report compares."""

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
"""The artifact that holds ``Progress``."""

COMPARISONS = "comparisons"
"""The tag that names the reference row and its baselines."""

_PARENT = "tags.kind = 'sweep'"
_SILENT_SECONDS = 30


@dataclass(frozen=True)
class Progress:
    """What a driver last said of itself."""

    keys: Sequence[str]
    """Every trial of its command, recorded or not."""
    host: str
    started: float
    """Seconds since 1970."""
    said: float
    """Seconds since 1970."""
    running: Sequence[tuple[str, str, str, float]]
    """Trial key, its run's name, the worker's host, and since when."""
    ended: bool = False
    note: str = ""
    """What is wrong with where it was kept."""

    @property
    def at_work(self) -> bool:
        """Whether its driver seems to be; it says something every few seconds while MLflow answers."""
        return not self.ended and time.time() - self.said < _SILENT_SECONDS


def last_progress(sweep: str, uri: str) -> Progress | None:
    """What the sweep's latest driver said of itself; None if it never ran.

    Raises:
        TrackingError: the store cannot be opened, or the sweep's experiment was deleted.
    """
    with recorded(sweep, uri) as found:
        return progress_in(found[0], uri, found[1]) if found else None


def comparisons(sweep: str, uri: str) -> tuple[str, ...]:
    """The reference row that a sweep's file names, then its baselines; (): its store does not tell.

    Raises:
        TrackingError: the store cannot be opened, or the sweep's experiment was deleted.
    """
    with recorded(sweep, uri) as found:
        runs = parents(*found) if found else ()
        named = (run.data.tags[COMPARISONS] for run in runs if COMPARISONS in run.data.tags)
        return tuple(json.loads(next(named, "[]")))


def progress_of(runs: Sequence[TrialRun]) -> Progress | None:
    """How far a sweep is by its trials alone, when its parent run and what that kept are gone; None: there are none."""
    if not runs:
        return None
    ended = [run.ended for run in runs]
    started = min(run.ended - (run.seconds or 0) for run in runs)
    note = "its parent run is gone, and with it what was planned: only what is recorded is counted"
    return Progress([run.key for run in runs], "a machine not known", started, max(ended), (), True, note)


def parents(client: MlflowClient, experiment_id: str) -> Iterator[Run]:
    """A sweep's parent runs, those that were deleted last: their files stay until MLflow is told to collect them."""
    yield from search(client, experiment_id, _PARENT)
    yield from reversed(list(search(client, experiment_id, _PARENT, ViewType.DELETED_ONLY)))


def progress_in(client: MlflowClient, uri: str, experiment_id: str) -> Progress | None:
    """What the latest driver of an experiment said of itself; None if it never ran."""
    found = list(parents(client, experiment_id))
    for run in found:
        if text := read_artifact(client, uri, run.info.run_id, PROGRESS):
            deleted = found[0].info.lifecycle_stage == "deleted"
            note = "its parent run was deleted; the next start makes a new one, and its trials count" if deleted else ""
            return replace(Progress(**json.loads(text)), note=note)
    return None


def parent_of(client: MlflowClient, experiment_id: str, sweep: str) -> str:
    """The sweep's parent run, made if it is new; finished from the start: no killed driver leaves it running."""
    for run in search(client, experiment_id, _PARENT):
        return str(run.info.run_id)
    run_id = str(client.create_run(experiment_id, tags={"kind": "sweep"}, run_name=sweep).info.run_id)
    client.set_terminated(run_id)
    return run_id
