"""Record of all trials, in MLflow. Only the driver writes to it."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from mgcl.errors import DeletedError, TrackingError
from mgcl.features import FeatureBank
from mgcl.methods.variants import VARIANTS
from mgcl.records import PlannedTrial, TrialFailure, TrialResult, TrialRun
from mgcl.tracking import bulk
from mgcl.tracking.artifacts import artifacts, files_of, read_artifact, readdress, write_artifact
from mgcl.tracking.bulk import RunRecord
from mgcl.tracking.parent import COMPARISONS, PROGRESS, Progress, parent_of, progress_in
from mgcl.tracking.runs import (
    TAG_LIMIT,
    metrics_of,
    parameters_of,
    result_tags,
    rows_tags,
    run_name,
    tags_of,
    trial_json,
    trial_result,
    trial_run,
)
from mgcl.tracking.store import (
    PAGE,
    ROWS,
    alone,
    answering,
    connect,
    experiment_of,
    is_database,
    recorded,
    search,
    set_view,
    was_deleted,
    where_to_look,
)

_TRIAL = "trial.json"
_TAGS_AT_ONCE = 100  # as MLflow allows
_STALE_MS = 10 * 60 * 1000
# A run is created with ``complete=0``; its last write is ``complete=1``.
_COMPLETE = "tags.kind = 'trial' AND tags.complete = '1'"
_INCOMPLETE = "tags.kind = 'trial' AND tags.complete = '0'"


@dataclass(frozen=True)
class Tracking:
    """Runs of one sweep in one store: an experiment with one parent run and one run per trial."""

    client: MlflowClient
    uri: str
    experiment_id: str
    parent_id: str

    @classmethod
    def open(cls, sweep: str, uri: str, *, group_by: str = "variant", columns: Sequence[str] = ()) -> "Tracking":
        """Open a sweep's experiment, which is created if it is missing, and delete its interrupted runs.

        Args:
            sweep: name of the sweep.
            uri: address of the store.
            group_by: parameter by which MLflow's page groups the runs at first.
            columns: metrics and parameters that the page shows at first, in MLflow's syntax (``metrics.`NAME```).

        Raises:
            TrackingError: the store cannot be opened or written.
        """
        with answering(uri), alone(uri):
            client = connect(uri)
            experiment = experiment_of(client, uri, sweep)
            readdress(uri)
            found = experiment.experiment_id if experiment else None
            experiment_id = found or client.create_experiment(sweep, artifact_location=artifacts(uri))
            if not next(search(client, experiment_id, ROWS), None):  # the page shows trials until the sweep ends
                set_view(client, experiment_id, group_by, VARIANTS, columns)
            tracking = cls(client, uri, experiment_id, parent_of(client, experiment_id, sweep))
        tracking.delete_interrupted()
        return tracking

    def where_to_look(self) -> str:
        """Address or command that opens the sweep's runs in a browser."""
        return where_to_look(self.uri, self.experiment_id)

    def record(
        self, planned: PlannedTrial, outcome: TrialResult | TrialFailure, bank: FeatureBank, tags: Mapping[str, str]
    ) -> None:
        """Write one trial's run. The run counts once its last write, ``complete=1``, is stored.

        Args:
            planned: the trial.
            outcome: result or failure of the trial.
            bank: feature bank that the trial ran on.
            tags: further tags of the run, e.g. the commit.

        Raises:
            TrackingError: the store does not answer; the run does not count.
            DeletedError: the sweep's experiment was deleted.
        """
        about = {**tags_of(planned, bank), **tags, "mlflow.parentRunId": self.parent_id, "complete": "0"}
        seconds = outcome.seconds if isinstance(outcome, TrialResult) else 0.0
        began = int(1000 * (time.time() - seconds))  # so that MLflow's page shows the duration of the trial
        with self.writing():
            run = self.client.create_run(self.experiment_id, began, about, run_name(planned)).info
            run_id = run.run_id
            self._log(run_id, str(run.artifact_uri), planned, outcome)
            self.client.set_terminated(run_id, "FINISHED" if isinstance(outcome, TrialResult) else "FAILED")
            self.client.set_tag(run_id, "complete", "1")

    def _log(self, run_id: str, address: str, planned: PlannedTrial, outcome: TrialResult | TrialFailure) -> None:
        """Write what a trial gave; ``address`` is that of the run's artifacts."""
        parameters = [Param(*each) for each in parameters_of(planned).items()]
        if isinstance(outcome, TrialFailure):
            self.client.log_batch(run_id, params=parameters)
            self.client.set_tag(run_id, "error", outcome.error[:TAG_LIMIT])
            write_artifact(address, self.uri, "traceback.txt", outcome.traceback)
            return
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value, step in metrics_of(planned.trial, outcome)]
        tags = [RunTag(*each) for each in result_tags(outcome).items()]
        room = PAGE - len(parameters) - _TAGS_AT_ONCE
        self.client.log_batch(run_id, metrics[:room], parameters, tags[:_TAGS_AT_ONCE])
        for start in range(room, len(metrics), PAGE):
            self.client.log_batch(run_id, metrics[start : start + PAGE])
        for start in range(_TAGS_AT_ONCE, len(tags), _TAGS_AT_ONCE):
            self.client.log_batch(run_id, tags=tags[start : start + _TAGS_AT_ONCE])
        write_artifact(address, self.uri, _TRIAL, trial_json(planned, outcome))

    def keep(self, files: Sequence[Path]) -> None:
        """Add files, e.g. a report's, to the parent run; a file of the same name is replaced.

        Raises:
            TrackingError: the store does not answer.
        """
        with answering(self.uri):
            there = files_of(self.client, self.uri, self.parent_id, writing=True)
            for file in files:
                there.log_artifact(str(file))  # type: ignore[no-untyped-call]

    def name_comparisons(self, reference: str, baselines: Sequence[str]) -> None:
        """Store the reference row and its baselines, which ``comparisons`` returns.

        Raises:
            TrackingError: the store does not answer.
        """
        with answering(self.uri):
            self.client.set_tag(self.parent_id, COMPARISONS, json.dumps([reference, *baselines]))

    def tell(self, progress: Progress) -> None:
        """Store a progress report, which ``last_progress`` returns.

        Raises:
            TrackingError: the store does not answer.
            DeletedError: the sweep's experiment was deleted.
        """
        with answering(self.uri):
            address = str(self.client.get_run(self.parent_id).info.artifact_uri)
            write_artifact(address, self.uri, PROGRESS, json.dumps(asdict(progress)))
        self._refuse_deleted()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Like ``answering``, but distinguish a deleted experiment, which never answers, from a store that is away.

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
        """Return the last report of the sweep's latest driver, or None if the sweep never ran."""
        with answering(self.uri):
            return progress_in(self.client, self.uri, self.experiment_id)

    def runs(self) -> tuple[TrialRun, ...]:
        """Return all completed trials, one run per key: the first that finished, else the last that failed."""
        with answering(self.uri):
            return _trial_runs(self.client, self.uri, self.experiment_id)

    def name_rows(self, run: TrialRun, more: TrialRun | PlannedTrial) -> None:
        """Add to a run's tags the rows of the same trial that was planned, or recorded in another store."""
        both = {**run.searched, **more.searched}, {**run.searches, **more.searches}
        tags = rows_tags(run.variants + more.variants, *both)
        with answering(self.uri):
            for each in tags.items():
                self.client.set_tag(run.run_id, *each)

    def delete_interrupted(self) -> None:
        """Delete interrupted runs that are old, or whose trial has a complete run.

        Another driver may still be writing a young run. If it is still writing an old one, it writes that run again.
        """
        before = int(time.time() * 1000) - _STALE_MS
        with answering(self.uri):
            if interrupted := list(search(self.client, self.experiment_id, _INCOMPLETE)):
                done = {run.key for run in _trial_runs(self.client, self.uri, self.experiment_id)}
                for run in interrupted:
                    if run.info.start_time < before or run.data.tags["trial_key"] in done:
                        self.client.delete_run(run.info.run_id)


def recorded_runs(sweep: str, uri: str) -> tuple[TrialRun, ...]:
    """Return the completed trials of a sweep without writing to the store; () if the sweep never ran.

    Raises:
        TrackingError: the store cannot be opened, or the sweep's experiment was deleted.
    """
    with recorded(sweep, uri) as found:
        return _trial_runs(found[0], uri, found[1]) if found else ()


def details(runs: Sequence[TrialRun], uri: str) -> dict[str, TrialResult]:
    """Return the complete results of runs by trial key. Runs that failed or lack their artifact are left out.

    Raises:
        TrackingError: the store cannot be opened.
    """
    with answering(uri):
        client = connect(uri)
        addresses = _addresses(client, uri, [run.run_id for run in runs])
        texts = ((run.key, read_artifact(addresses[run.run_id], uri, _TRIAL)) for run in runs)
        return {key: trial_result(text) for key, text in texts if text}


def _addresses(client: MlflowClient, uri: str, run_ids: Sequence[str]) -> Mapping[str, str]:
    if is_database(uri):
        return bulk.artifact_addresses(uri, run_ids)
    return {run_id: str(client.get_run(run_id).info.artifact_uri) for run_id in run_ids}


def _trial_runs(client: MlflowClient, uri: str, experiment_id: str) -> tuple[TrialRun, ...]:
    one_a_key: dict[str, TrialRun] = {}
    for run in map(_trial_run, _complete(client, uri, experiment_id)):
        if run.key not in one_a_key or one_a_key[run.key].status != "FINISHED":
            one_a_key[run.key] = run
    return tuple(one_a_key.values())


def _complete(client: MlflowClient, uri: str, experiment_id: str) -> Iterator[RunRecord]:
    """Complete trials, oldest first."""
    if is_database(uri):
        for each in bulk.read(uri, experiment_id):
            if each.tags.get("kind") == "trial" and each.tags.get("complete") == "1":
                yield each
        return
    for run in search(client, experiment_id, _COMPLETE):
        info, data = run.info, run.data
        yield RunRecord(info.run_id, info.status, (info.end_time or 0) / 1000, data.tags, data.params, data.metrics)


def _trial_run(run: RunRecord) -> TrialRun:
    return trial_run(run.run_id, run.status, run.ended, run.tags, run.parameters, run.metrics)
