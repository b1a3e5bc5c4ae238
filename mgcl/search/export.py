"""Export of a study's points to MLflow, to group and compare them there; the study's own database is the record."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from optuna.trial import FrozenTrial, TrialState

from mgcl.errors import TrackingError
from mgcl.records import digest
from mgcl.search.questions import Question
from mgcl.search.study import ERROR
from mgcl.tracking.record import Tracking
from mgcl.tracking.store import answering, recorded, search

_PLANNED = "points"
_PARENTS = "tags.kind = 'sweep'"
_POINTS = "tags.kind = 'point'"
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "stopped early"}
_FORMER = {"whole": "complete"}
"""State in runs of earlier versions -> present state."""


@dataclass(frozen=True)
class Export:
    """MLflow experiment with one parent run, and one run per point below it."""

    store: Tracking
    value: str
    """Name of the MLflow metric that holds a point's value."""
    shown: set[tuple[str, int, str]] = field(default_factory=set)
    """(Study, number, content) of the points that have a run; the content detects a later study of the same name."""

    @classmethod
    def open(cls, name: str, uri: str, metric: str) -> "Export":
        """Open the experiment of a search, creating it if it is new, and delete interrupted runs.

        Args:
            name: name of the search.
            uri: address of the MLflow store.
            metric: name of the metric whose mean is a point's value.

        Raises:
            TrackingError: the store cannot be opened or written.
        """
        value = f"validation_{metric}"
        export = cls(Tracking.open(name, uri, group_by="study", columns=[f"metrics.`{value}`"]), value)
        with answering(uri):
            for run in search(export._client, export.store.experiment_id, _POINTS):
                if run.info.status == "RUNNING":
                    export._client.delete_run(run.info.run_id)
                else:
                    tags, metrics = run.data.tags, run.data.metrics
                    content = tags.get("content") or _content("", run.data.params, metrics.get(value))
                    export.shown.add((tags["study"], int(tags["point"]), content))
        return export

    @property
    def _client(self) -> MlflowClient:
        return self.store.client

    def plan(self, points: Mapping[str, int]) -> None:
        """Store the number of points that each study should have in the end, for ``standing``.

        Raises:
            TrackingError: the store does not answer.
        """
        with answering(self.store.uri):
            self._client.set_tag(self.store.parent_id, _PLANNED, json.dumps(points))

    def show(self, question: Question, points: Iterable[FrozenTrial]) -> None:
        """Write runs for the points that have none yet.

        Raises:
            TrackingError: the store does not answer; missing runs are written by the next call.
            DeletedError: the search's experiment was deleted.
        """
        for point in points:
            parameters, value = (
                _parameters(question, point),
                point.value if point.state == TrialState.COMPLETE else None,
            )
            content, untold = (_content(identity, parameters, value) for identity in (question.identity, ""))
            if self.shown.isdisjoint((question.name, point.number, each) for each in (content, untold)):
                with self.store.writing():
                    self._write(question, point, content)
                self.shown.add((question.name, point.number, content))

    def _write(self, question: Question, point: FrozenTrial, content: str) -> None:
        state = "failed" if ERROR in point.user_attrs else _STATES[point.state]
        tags = {
            "kind": "point",
            "study": question.name,
            "point": str(point.number),
            "state": state,
            "bank": " ".join(question.banks),
            "content": content,
            "mlflow.parentRunId": self.store.parent_id,
            **({"error": point.user_attrs[ERROR]} if ERROR in point.user_attrs else {}),
        }
        name = f"{question.name} point {point.number}"
        run_id = self._client.create_run(self.store.experiment_id, tags=tags, run_name=name).info.run_id
        now = int(time.time() * 1000)
        metrics = [
            Metric(f"{self.value}_so_far", value, now, step) for step, value in point.intermediate_values.items()
        ]
        if point.state == TrialState.COMPLETE and point.value is not None:
            metrics.append(Metric(self.value, point.value, now, 0))
        parameters = [Param(*each) for each in _parameters(question, point).items()]
        self._client.log_batch(run_id, metrics, parameters)
        self._client.set_terminated(run_id, "FAILED" if state == "failed" else "FINISHED")

    def try_to_show(self, question: Question, point: FrozenTrial) -> None:
        """Export one point like ``show``, but leave it to a later call if the store does not answer."""
        try:
            self.show(question, (point,))
        except TrackingError:
            return


def _parameters(question: Question, point: FrozenTrial) -> dict[str, str]:
    return {"study": question.name, **{key: str(value) for key, value in question.typed(point.params).items()}}


def _content(identity: str, parameters: Mapping[str, str], value: float | None) -> str:
    """Digest of a point's study, parameters and value; ``identity`` is empty for runs that recorded no digest."""
    return digest([identity, dict(parameters), value])[:16]


def standing(name: str, uri: str) -> dict[str, tuple[Counter[str], int | None]]:
    """Study -> number of its points per state, and number that it should have (None: not known); writes nothing.

    Raises:
        TrackingError: the store cannot be opened, or the search's experiment was deleted.
    """
    with recorded(name, uri) as opened:
        if opened is None:
            return {}
        client, experiment = opened
        parents = search(client, experiment, _PARENTS)
        planned = {
            study: points for run in parents for study, points in json.loads(run.data.tags.get(_PLANNED, "{}")).items()
        }
        states: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for run in search(client, experiment, _POINTS):
            state = run.data.tags.get("state", "under way")
            states[run.data.tags["study"]][_FORMER.get(state, state)] += 1
    return {study: (states[study], planned.get(study)) for study in {**planned, **states}}
