"""The record of every trial, in MLflow; only the driver writes."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from mgcl.errors import TrackingError
from mgcl.features import FeatureBank
from mgcl.records import TrialFailure, TrialResult, TrialRun
from mgcl.sweep.grid import TAG_LIMIT, Cell
from mgcl.sweep.runs import parameters_of, result_tags, run_name, tags_of, trial_run, variants_tag
from mgcl.sweep.store import PAGE, alone, answering, artifacts, connect, exists, search

_STALE_MS = 10 * 60 * 1000


@dataclass(frozen=True)
class Tracking:
    """The runs of one sweep in one store: an experiment, one parent run, one run a trial."""

    client: MlflowClient
    uri: str
    experiment_id: str
    parent_id: str

    @classmethod
    def open(cls, sweep: str, uri: str) -> "Tracking":
        """Open a sweep's experiment, made if it is new, and drop its runs that were never completed.

        Raises:
            TrackingError: the store cannot be opened or written.
        """
        with answering(uri), alone(uri):
            client = connect(uri)
            experiment = client.get_experiment_by_name(sweep)
            if experiment and experiment.lifecycle_stage == "deleted":
                raise TrackingError(
                    f"{uri}: the experiment {sweep!r} was deleted; bring it back with `mlflow experiments restore "
                    f"--experiment-id {experiment.experiment_id}`, or name another --tracking-uri"
                )
            found = experiment.experiment_id if experiment else None
            experiment_id = found or client.create_experiment(sweep, artifact_location=artifacts(uri))
            tracking = cls(client, uri, experiment_id, _parent(client, experiment_id, sweep))
            tracking._delete_stale()
            return tracking

    def where_to_look(self) -> str:
        """How to open the sweep's runs in a browser; MLflow's front page opens in another view."""
        page = f"/#/experiments/{self.experiment_id}/runs?workflowType=machine_learning"
        if self.uri.startswith("http"):
            return self.uri.rstrip("/") + page
        return f"mlflow ui --backend-store-uri {shlex.quote(self.uri)}, then http://127.0.0.1:5000{page}"

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
        """
        about = {**tags_of(cell, bank), **tags, "mlflow.parentRunId": self.parent_id}
        with answering(self.uri):
            run_id = self.client.create_run(self.experiment_id, tags=about, run_name=run_name(cell)).info.run_id
            parameters = [Param(*each) for each in parameters_of(cell, bank).items()]
            self.client.log_batch(run_id, params=parameters)
            if isinstance(outcome, TrialResult):
                self._log_result(run_id, outcome)
                self.client.log_dict(run_id, {"trial": asdict(cell.trial), "result": asdict(outcome)}, "trial.json")
                self.client.set_terminated(run_id, "FINISHED")
            else:
                self.client.set_tag(run_id, "error", outcome.error[:TAG_LIMIT])
                self.client.log_text(run_id, outcome.traceback, "traceback.txt")
                self.client.set_terminated(run_id, "FAILED")
            self.client.set_tag(run_id, "complete", "1")

    def _log_result(self, run_id: str, result: TrialResult) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric("episode_accuracy", each.accuracy, now, each.index) for each in result.episodes]
        metrics += [
            Metric("accuracy", result.accuracy, now, 0),
            Metric("unconverged", result.convergence.unconverged, now, 0),
            Metric("seconds", result.seconds, now, 0),
        ]
        for start in range(0, len(metrics), PAGE):
            self.client.log_batch(run_id, metrics=metrics[start : start + PAGE])
        self.client.log_batch(run_id, tags=[RunTag(*each) for each in result_tags(result).items()])

    def runs(self) -> tuple[TrialRun, ...]:
        """Every completed trial, one run a key: a finished one before a failed one, then the oldest."""
        with answering(self.uri):
            return _trial_runs(self.client, self.experiment_id)

    def name_variants(self, run: TrialRun, variants: tuple[str, ...]) -> None:
        """Tag a run with variants that turned out to resolve to its trial."""
        with answering(self.uri):
            self.client.set_tag(run.run_id, "variants", variants_tag(run.variants + variants))

    def _delete_stale(self) -> None:
        """A run without ``complete=1`` was cut off; another driver may still be writing a young one."""
        before = int(time.time() * 1000) - _STALE_MS
        for run in search(self.client, self.experiment_id, "tags.kind = 'trial'"):
            if run.data.tags.get("complete") != "1" and run.info.start_time < before:
                self.client.delete_run(run.info.run_id)


def recorded_runs(sweep: str, uri: str) -> tuple[TrialRun, ...]:
    """The completed trials of a sweep, without writing anything; none if the sweep never ran.

    Raises:
        TrackingError: the store cannot be opened.
    """
    if not exists(uri):
        return ()
    with answering(uri), alone(uri):
        client = connect(uri)
        experiment = client.get_experiment_by_name(sweep)
        return _trial_runs(client, experiment.experiment_id) if experiment else ()


def _parent(client: MlflowClient, experiment_id: str, sweep: str) -> str:
    """The sweep's parent run; finished from the start, so that no killed driver leaves it running."""
    for run in search(client, experiment_id, "tags.kind = 'sweep'"):
        return str(run.info.run_id)
    run_id = str(client.create_run(experiment_id, tags={"kind": "sweep"}, run_name=sweep).info.run_id)
    client.set_terminated(run_id)
    return run_id


def _trial_runs(client: MlflowClient, experiment_id: str) -> tuple[TrialRun, ...]:
    complete = [
        trial_run(run.info.run_id, run.info.status, run.data.tags, run.data.params)
        for run in search(client, experiment_id, "tags.kind = 'trial' AND tags.complete = '1'")
    ]
    one_a_key: dict[str, TrialRun] = {}
    for run in sorted(complete, key=lambda run: run.status != "FINISHED"):
        one_a_key.setdefault(run.key, run)
    return tuple(one_a_key.values())
