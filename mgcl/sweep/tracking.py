"""The record of every trial, in MLflow; only the driver writes."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag, ViewType

from mgcl.errors import DeletedError, TrackingError
from mgcl.features import FeatureBank
from mgcl.records import TrialFailure, TrialResult, TrialRun
from mgcl.sweep.artifacts import artifacts, files_of, read_artifact, readdress, write_artifact
from mgcl.sweep.grid import TAG_LIMIT, Cell
from mgcl.sweep.runs import (
    metrics_of,
    parameters_of,
    result_tags,
    run_name,
    tags_of,
    trial_json,
    trial_result,
    trial_run,
    variants_tag,
)
from mgcl.sweep.store import (
    PAGE,
    ROWS,
    alone,
    answering,
    connect,
    exists,
    experiment_of,
    reading,
    search,
    set_view,
    was_deleted,
    where_to_look,
)

_PROGRESS = "progress.json"
_TRIAL = "trial.json"
_PARENT = "tags.kind = 'sweep'"
_SILENT_SECONDS = 30
_STALE_MS = 10 * 60 * 1000
# A run is made with ``complete=0``; its last write is ``complete=1``.
_COMPLETE = "tags.kind = 'trial' AND tags.complete = '1'"
_INCOMPLETE = "tags.kind = 'trial' AND tags.complete = '0'"


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


@dataclass(frozen=True)
class Tracking:
    """The runs of one sweep in one store: an experiment, one parent run, one run a trial."""

    client: MlflowClient
    uri: str
    experiment_id: str
    parent_id: str

    @classmethod
    def open(cls, sweep: str, uri: str, *, group_by: str = "variant") -> "Tracking":
        """Open a sweep's experiment, made if it is new, and drop its runs that were never completed.

        Args:
            sweep: its name.
            uri: of the store.
            group_by: the parameter that MLflow's page groups its runs by, to begin with.

        Raises:
            TrackingError: the store cannot be opened or written.
        """
        with answering(uri), alone(uri):
            client = connect(uri)
            experiment = experiment_of(client, uri, sweep)
            readdress(uri)
            found = experiment.experiment_id if experiment else None
            experiment_id = found or client.create_experiment(sweep, artifact_location=artifacts(uri))
            if not next(search(client, experiment_id, ROWS), None):  # until a sweep's end, its trials
                set_view(client, experiment_id, group_by)
            tracking = cls(client, uri, experiment_id, _parent(client, experiment_id, sweep))
        tracking.delete_cut_off()
        return tracking

    def where_to_look(self) -> str:
        """How to open the sweep's runs in a browser."""
        return where_to_look(self.uri, self.experiment_id)

    def record(
        self, cell: Cell, outcome: TrialResult | TrialFailure, bank: FeatureBank, tags: Mapping[str, str]
    ) -> None:
        """Write one trial's run; it counts once its last write, ``complete=1``, is there.

        Args:
            cell: the trial.
            outcome: its result, or how it failed.
            bank: that it ran on.
            tags: what else should be known of it, e.g. the commit.

        Raises:
            TrackingError: the store does not answer; the run does not count.
            DeletedError: the sweep's experiment was deleted.
        """
        about = {**tags_of(cell, bank), **tags, "mlflow.parentRunId": self.parent_id, "complete": "0"}
        seconds = outcome.seconds if isinstance(outcome, TrialResult) else 0.0
        began = int(1000 * (time.time() - seconds))  # MLflow's page shows the trial's duration, not the writing's
        with self.writing():
            run_id = self.client.create_run(self.experiment_id, began, about, run_name(cell)).info.run_id
            self._log(run_id, cell, outcome, bank)
            self.client.set_terminated(run_id, "FINISHED" if isinstance(outcome, TrialResult) else "FAILED")
            self.client.set_tag(run_id, "complete", "1")

    def _log(self, run_id: str, cell: Cell, outcome: TrialResult | TrialFailure, bank: FeatureBank) -> None:
        parameters = [Param(*each) for each in parameters_of(cell, bank).items()]
        if isinstance(outcome, TrialFailure):
            self.client.log_batch(run_id, params=parameters)
            self.client.set_tag(run_id, "error", outcome.error[:TAG_LIMIT])
            write_artifact(self.client, self.uri, run_id, "traceback.txt", outcome.traceback)
            return
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value, step in metrics_of(outcome)]
        tags = [RunTag(*each) for each in result_tags(outcome).items()]
        room = PAGE - len(parameters) - len(tags)
        self.client.log_batch(run_id, metrics[:room], parameters, tags)
        for start in range(room, len(metrics), PAGE):
            self.client.log_batch(run_id, metrics[start : start + PAGE])
        write_artifact(self.client, self.uri, run_id, _TRIAL, trial_json(cell, outcome))

    def keep(self, files: Sequence[Path]) -> None:
        """Add files to the parent run, a report's, say; one of the same name is replaced.

        Raises:
            TrackingError: the store does not answer.
        """
        with answering(self.uri):
            there = files_of(self.client, self.uri, self.parent_id, writing=True)
            for file in files:
                there.log_artifact(str(file))  # type: ignore[no-untyped-call]

    def tell(self, progress: Progress) -> None:
        """Keep what ``last_progress`` gives.

        Raises:
            TrackingError: the store does not answer.
            DeletedError: the sweep's experiment was deleted.
        """
        with answering(self.uri):
            write_artifact(self.client, self.uri, self.parent_id, _PROGRESS, json.dumps(asdict(progress)))
        self._refuse_deleted()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """``answering``, which tells an experiment that was deleted meanwhile, and never answers, from a store away.

        Raises:
            TrackingError: the store does not answer.
            DeletedError: the experiment was deleted.
        """
        try:
            with answering(self.uri):
                yield
        except TrackingError:
            self._refuse_deleted()
            raise

    def _refuse_deleted(self) -> None:
        with suppress(TrackingError), answering(self.uri):
            experiment = self.client.get_experiment(self.experiment_id)
            if experiment.lifecycle_stage == "deleted":
                raise DeletedError(f"{was_deleted(self.uri, experiment)}; then the same command runs the rest")

    def last_progress(self) -> Progress | None:
        """What the sweep's latest driver said of itself; None if it never ran."""
        with answering(self.uri):
            return _last_progress(self.client, self.uri, self.experiment_id)

    def runs(self) -> tuple[TrialRun, ...]:
        """Every completed trial, one run a key: a finished one before a failed one, then the oldest."""
        with answering(self.uri):
            return _trial_runs(self.client, self.experiment_id)

    def name_variants(self, run: TrialRun, variants: tuple[str, ...]) -> None:
        """Tag a run with variants that turned out to resolve to its trial."""
        with answering(self.uri):
            self.client.set_tag(run.run_id, "variants", variants_tag(run.variants + variants))

    def delete_cut_off(self) -> None:
        """Delete runs that were begun and never completed, if they are old or their trial has a complete one.

        A young one may be another driver's, which is writing it; if an old one is, that driver writes it again.
        """
        before = int(time.time() * 1000) - _STALE_MS
        with answering(self.uri):
            if cut_off := list(search(self.client, self.experiment_id, _INCOMPLETE)):
                done = {run.key for run in _trial_runs(self.client, self.experiment_id)}
                for run in cut_off:
                    if run.info.start_time < before or run.data.tags["trial_key"] in done:
                        self.client.delete_run(run.info.run_id)


def recorded_runs(sweep: str, uri: str) -> tuple[TrialRun, ...]:
    """The completed trials of a sweep, without writing anything; none if the sweep never ran.

    Raises:
        TrackingError: the store cannot be opened, or the sweep's experiment was deleted.
    """
    if not exists(uri):
        return ()
    with answering(uri), reading(uri):
        client = connect(uri)
        experiment = experiment_of(client, uri, sweep)
        return _trial_runs(client, experiment.experiment_id) if experiment else ()


def details(runs: Sequence[TrialRun], uri: str) -> dict[str, TrialResult]:
    """The whole results of some runs, by trial key; without those that failed or lost their artifact.

    Raises:
        TrackingError: the store cannot be opened.
    """
    with answering(uri):
        client = connect(uri)
        texts = {run.key: read_artifact(client, uri, run.run_id, _TRIAL) for run in runs}
    return {key: trial_result(text) for key, text in texts.items() if text}


def last_progress(sweep: str, uri: str) -> Progress | None:
    """What the sweep's latest driver said of itself; None if it never ran.

    Raises:
        TrackingError: the store cannot be opened, or the sweep's experiment was deleted.
    """
    if not exists(uri):
        return None
    with answering(uri), reading(uri):
        client = connect(uri)
        experiment = experiment_of(client, uri, sweep)
        return _last_progress(client, uri, experiment.experiment_id) if experiment else None


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


def _last_progress(client: MlflowClient, uri: str, experiment_id: str) -> Progress | None:
    found = list(parents(client, experiment_id))
    for run in found:
        if text := read_artifact(client, uri, run.info.run_id, _PROGRESS):
            deleted = found[0].info.lifecycle_stage == "deleted"
            note = "its parent run was deleted; the next start makes a new one, and its trials count" if deleted else ""
            return replace(Progress(**json.loads(text)), note=note)
    return None


def _parent(client: MlflowClient, experiment_id: str, sweep: str) -> str:
    """The sweep's parent run; finished from the start, so that no killed driver leaves it running."""
    for run in search(client, experiment_id, _PARENT):
        return str(run.info.run_id)
    run_id = str(client.create_run(experiment_id, tags={"kind": "sweep"}, run_name=sweep).info.run_id)
    client.set_terminated(run_id)
    return run_id


def _trial_runs(client: MlflowClient, experiment_id: str) -> tuple[TrialRun, ...]:
    one_a_key: dict[str, TrialRun] = {}
    for run in map(_trial_run, search(client, experiment_id, _COMPLETE)):
        if run.key not in one_a_key or (run.status == "FINISHED" != one_a_key[run.key].status):
            one_a_key[run.key] = run
    return tuple(one_a_key.values())


def _trial_run(run: Run) -> TrialRun:
    info, data = run.info, run.data
    return trial_run(info.run_id, info.status, (info.end_time or 0) / 1000, data.tags, data.params, data.metrics)
