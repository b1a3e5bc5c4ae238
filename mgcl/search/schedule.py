"""Points on Ray Tune: proposed by Optuna, pinned like any trial, and stopped early where they are bad."""

import tempfile
from collections.abc import Callable, Mapping
from math import fsum
from pathlib import Path
from typing import Any

from optuna.pruners import MedianPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from mgcl.cluster.connect import Cluster
from mgcl.cluster.workers import EndWhen
from mgcl.errors import SearchError
from mgcl.home import home
from mgcl.records import TrialFailure, Value
from mgcl.search.questions import Question
from mgcl.search.sampling import SteadySampler, distributions
from mgcl.search.study import ERROR, ended
from mgcl.sweep.alike import FIRST, CommonCause
from mgcl.sweep.worker import Worker

# A point whose worker dies is started this often in all.
_ATTEMPTS = 3
# Points that are whole before others are compared with them, and batches before any is stopped.
_MEDIAN_OF, _GRACE = 5, 2


def run_points(
    study: Study,
    question: Question,
    points: int,
    bank: str,
    there: Cluster,
    on_point: Callable[[FrozenTrial], object] = lambda _: None,
) -> None:
    """Run points on the connected cluster until a study has so many.

    With one worker at a time the study is a function of the question alone, stopped and gone on with or not.

    Args:
        study: from ``open_study``.
        question: the same; if it is ``stopping``, a point ends early whose mean so far is worse than the median of the
            whole ones' after as many batches.
        points: that it should have at the end.
        bank: where the bank lies, as every node sees it.
        there: the cluster.
        on_point: called in this process with each point that ended; what it raises stops the search.

    Raises:
        SearchError: the first points all failed alike.
    """
    left = points - len(ended(study))
    if left <= 0:
        return
    search = _Search(question, study, on_point)
    with tempfile.TemporaryDirectory(prefix="tune-", dir=there.session) as storage:
        worker = Worker({question.bank: bank}, home(), there.gpus_per_slot)
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(_run_point, question=question, worker=worker),
                {"cpu": 1, "gpu": there.gpus_per_slot},
            ),
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=_Stopping(search),
                metric="figure",
                mode=_mode(question),
                num_samples=left,
                max_concurrent_trials=min(there.slots, left),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="search",
                storage_path=storage,
                verbose=0,
                stop=EndWhen(lambda: search.error is not None),
                failure_config=tune.FailureConfig(max_failures=_ATTEMPTS - 1),
            ),
        ).fit()
    if search.error:
        raise search.error


def _mode(question: Question) -> str:
    return "max" if question.metric.higher_is_better else "min"


class _Search(OptunaSearch):
    """Tells Optuna of each batch, and of a point that was stopped or failed what it is: no whole one."""

    def __init__(self, question: Question, study: Study, on_point: Callable[[FrozenTrial], object]) -> None:
        super().__init__(
            distributions(question.space),
            metric="figure",
            mode=_mode(question),
            sampler=SteadySampler.of(question.sampler, question.seed),
            study_name=study.study_name,
            storage=study._storage,
        )
        own: Any = self._ot_study  # declared as None there
        own.pruner = MedianPruner(_MEDIAN_OF, _GRACE)
        self._study = own
        self._batches, self._stopping, self._on_point = len(question.batches), question.stopping, on_point
        self._common_cause = CommonCause()
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Tune writes its searcher to disk, to restore an experiment from; the driver's own part stays here."""
        return {**self.__dict__, "_on_point": None}

    def judge(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Keep what a batch gave; whether the point should end here."""
        if "error" in result or result["batches"] == self._batches:
            return False
        point = self._ot_trials[trial_id]
        point.report(result["figure"], result["batches"])
        return self._stopping and bool(point.should_prune())

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Tune's contract; ``judge`` was asked before."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tune's contract; with an error its worker died as often as it may."""
        if result is None and not error:
            return  # Tune ended: the point is run the next time
        point, result = self._ot_trials[trial_id], result or {}
        cause = f"its worker died {_ATTEMPTS} times" if error else result.get("error")
        if cause:
            point.set_user_attr(ERROR, cause)
        if cause or result["batches"] < self._batches:
            self._study.tell(point, state=TrialState.PRUNED)
        else:
            self._study.tell(point, result["figure"])
        self._refuse_a_common_cause(cause)
        try:
            self._on_point(self._study.get_trials(deepcopy=False)[point.number])
        except Exception as raised:  # the driver's own: Tune would wrap it
            self.error = self.error or raised

    def _refuse_a_common_cause(self, cause: str | None) -> None:
        if self._common_cause.found(cause):
            self.error = SearchError(
                f"the first {FIRST} points failed alike, so the rest was not run: {cause}; mend that, then "
                "name another --study"
            )

    def save(self, checkpoint_path: str) -> None:
        """Tune wants a file; the study itself is in its database."""
        Path(checkpoint_path).touch()


class _Stopping(FIFOScheduler):
    """Asks the search after each batch."""

    def __init__(self, search: _Search) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._search = search

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Tune's contract."""
        return TrialScheduler.STOP if self._search.judge(trial.trial_id, result) else TrialScheduler.CONTINUE


def _run_point(config: dict[str, Value], question: Question, worker: Worker) -> None:
    """In the worker: a point's batches one by one, each reported with the mean so far."""
    worker = _kept(worker.banks[question.bank], worker)
    computed = worker.computed_similarities(question.bank) if "epsilon" in question.space else None
    means: list[float] = []
    for batch in question.at(config):
        scores = []
        for trial in batch:
            outcome = worker.run(trial, computed)
            if isinstance(outcome, TrialFailure):
                tune.report({"figure": 0.0, "batches": len(means), "error": outcome.error})  # Tune wants a figure
                return
            scores.append(question.metric.figure(outcome.scores))
        means.append(fsum(scores) / len(scores))
        tune.report({"figure": fsum(means) / len(means), "batches": len(means)})


_WORKERS: dict[str, Worker] = {}


def _kept(bank: str, worker: Worker) -> Worker:
    """The first of equals in this process, which has its bank open already."""
    return _WORKERS.setdefault(f"{bank} {worker.home} {worker.gpu_share}", worker)
