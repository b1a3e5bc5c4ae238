"""Copying of runs from another MLflow store into the user's own: every trial once, even if a sync is interrupted."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from mgcl.errors import TrackingError
from mgcl.home import home
from mgcl.masking import masked
from mgcl.progress import Bar
from mgcl.records import TrialRun
from mgcl.tracking import rows
from mgcl.tracking.artifacts import files_of
from mgcl.tracking.parent import parents
from mgcl.tracking.record import Tracking, recorded_runs
from mgcl.tracking.store import PAGE, answering, connect, exists, experiment_of, reading, search

_EXPERIMENTS = 50_000  # largest number that MLflow lists at once
_THREADS = 8
_RUNS_AT_ONCE = 64


@dataclass(frozen=True)
class Source:
    """Store that runs are copied from. It is only read.

    Attributes:
        uri: present address of the store.
        name: value of the tag ``synced_from`` of copied runs; a tunnel's address would mean nothing later.
    """

    uri: str
    name: str

    def sweeps(self) -> tuple[str, ...]:
        """Return the names of the sweeps that the store records.

        Raises:
            TrackingError: the store does not answer.
        """
        if not exists(self.uri):
            raise TrackingError(
                f"{masked(self.uri)}: there is no such file; name the store that the sweep was recorded in"
            )
        with answering(self.uri), reading(self.uri):
            client = connect(self.uri)
            experiments = client.search_experiments(max_results=_EXPERIMENTS)
            return tuple(sorted(each.name for each in experiments if _is_sweep(client, each.experiment_id)))

    def refuse_deleted(self, sweep: str) -> None:
        """Raise if a sweep was deleted; a sweep that never existed raises nothing.

        Raises:
            TrackingError: the sweep was deleted, or the store does not answer.
        """
        with answering(self.uri):
            experiment_of(connect(self.uri), self.uri, sweep)


@dataclass(frozen=True)
class _Recorded:
    """Run with all values of its metrics, and its artifacts in a temporary folder."""

    run: Run
    metrics: list[Metric]
    artifacts: Path


def not_stored(sweep: str, source: Source, own_uri: str) -> tuple[TrialRun, ...]:
    """Return the source's trials that the user's own store lacks, or lacks in at least one of their rows.

    Raises:
        TrackingError: a store does not answer.
    """
    stored = {run.key: run for run in recorded_runs(sweep, own_uri)}
    return tuple(
        run
        for run in recorded_runs(sweep, source.uri)
        if (mine := stored.get(run.key)) is None or _outranks(run, mine) or not set(run.variants) <= set(mine.variants)
    )


def copy_runs(sweep: str, source: Source, own_uri: str) -> int:
    """Copy the runs that are not synced yet. A copy counts once its last write, ``complete=1``, is stored.

    Args:
        sweep: one of ``source.sweeps()``.
        source: store to copy from; a run that cannot be read completely is reported on stderr and left out.
        own_uri: address of the user's own store; missing experiment and parent run of the sweep are created there.

    Returns:
        Number of copied runs.

    Raises:
        TrackingError: a store does not answer, or another sync is under way.
    """
    with _alone():
        store = Tracking.open(sweep, own_uri)
        with answering(own_uri):
            _delete_interrupted(store)
        with answering(source.uri):
            client = connect(source.uri)
        _copy_parent(sweep, client, source, store)
        stored = {run.key: run for run in store.runs()}
        new = []
        for run in not_stored(sweep, source, own_uri):
            mine = stored.get(run.key)
            if mine and not _outranks(run, mine):
                store.name_rows(mine, run)
            else:
                new.append(run.run_id)
        copied = 0
        with Bar(total=len(new), desc=sweep, unit="run") as bar:
            for trial in _read_all(new, client, source):
                if trial:
                    with answering(own_uri):
                        _write(trial, source, store)
                    copied += 1
                bar.update()
        rows.write(store, store.runs())
        return copied


def _outranks(run: TrialRun, mine: TrialRun) -> bool:
    return run.status == "FINISHED" and mine.status != "FINISHED"


@contextmanager
def _alone() -> Iterator[None]:
    """Allow only one sync at a time: two would treat each other's unfinished copies as interrupted."""
    home().mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home() / "sync.lock", timeout=0):
            yield
    except Timeout:
        raise TrackingError(f"{home()}: another `mgcl sync` is under way; wait for it") from None


def _delete_interrupted(store: Tracking) -> None:
    """Delete incomplete copies of a killed sync. Incomplete runs of drivers are not touched."""
    for run in list(search(store.client, store.experiment_id, "tags.synced_from LIKE '%' AND tags.complete = '0'")):
        store.client.delete_run(run.info.run_id)


def _is_sweep(client: MlflowClient, experiment_id: str) -> bool:
    """Whether an experiment is a sweep's: it has a parent run or, if that was deleted, trials."""
    kinds = ("sweep", "trial")
    return any(next(search(client, experiment_id, f"tags.kind = '{kind}'"), None) for kind in kinds)


def _copy_parent(sweep: str, client: MlflowClient, source: Source, store: Tracking) -> None:
    """Copy tags, parameters and files of the source's parent run, deleted or not, to the sweep's own parent run.

    MLflow's own tags of the user's run are not changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        with answering(source.uri):
            experiment = experiment_of(client, source.uri, sweep)
            if experiment is None:
                raise TrackingError(f"{source.name}: no sweep called {sweep!r} is recorded there")
            parent = next(parents(client, experiment.experiment_id), None)
            if parent is None:
                return
            theirs = files_of(client, source.uri, parent.info.run_id)
            theirs.download_artifacts("", folder)  # type: ignore[no-untyped-call]
        with answering(store.uri):
            own = store.client.get_run(store.parent_id).data
            tags = [RunTag(*each) for each in parent.data.tags.items() if not each[0].startswith("mlflow.")]
            params = [Param(*each) for each in parent.data.params.items() if each[0] not in own.params]
            store.client.log_batch(store.parent_id, params=params, tags=tags)
            ours = files_of(store.client, store.uri, store.parent_id, writing=True)
            ours.log_artifacts(folder)  # type: ignore[no-untyped-call]


def _read_all(run_ids: Sequence[str], client: MlflowClient, source: Source) -> Iterator[_Recorded | None]:
    """Read complete runs, in order, several at a time: most of the time is a remote server's latency."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(run_ids), _RUNS_AT_ONCE):
            with tempfile.TemporaryDirectory() as folder:
                read = partial(_read, client=client, source=source, root=Path(folder))
                yield from pool.map(read, run_ids[start : start + _RUNS_AT_ONCE])


def _read(run_id: str, client: MlflowClient, source: Source, root: Path) -> _Recorded | None:
    """Read one run; return None if the source answers but the run cannot be read completely."""
    folder = root / run_id
    folder.mkdir()
    try:
        with answering(source.uri):
            run = client.get_run(run_id)
            metrics = [each for name in run.data.metrics for each in client.get_metric_history(run_id, name)]
            files = files_of(client, source.uri, run_id)
            files.download_artifacts("", str(folder))  # type: ignore[no-untyped-call]
            if not any(folder.iterdir()):  # every trial has artifacts, and MLflow skips folders it cannot see
                raise FileNotFoundError(f"no artifacts at {files.artifact_uri}; does the server serve them?")
            return _Recorded(run, metrics, folder)
    except TrackingError as error:
        with answering(source.uri):
            connect(source.uri)
        Bar.write(f"run {run_id} is left out: {error}", file=sys.stderr)
        return None


def _write(trial: _Recorded, source: Source, store: Tracking) -> None:
    run, client = trial.run, store.client
    about = {"mlflow.parentRunId": store.parent_id, "synced_from": source.name, "complete": "0"}
    run_id = client.create_run(store.experiment_id, run.info.start_time, run.data.tags | about).info.run_id
    params = [Param(*each) for each in run.data.params.items()]
    metrics = [Metric(each.key, each.value, each.timestamp, each.step) for each in trial.metrics]
    room = PAGE - len(params)
    client.log_batch(run_id, metrics[:room], params)
    for start in range(room, len(metrics), PAGE):
        client.log_batch(run_id, metrics[start : start + PAGE])
    files = files_of(client, store.uri, run_id, writing=True)
    files.log_artifacts(str(trial.artifacts))  # type: ignore[no-untyped-call]
    client.set_terminated(run_id, run.info.status, run.info.end_time)
    client.set_tag(run_id, "complete", "1")
