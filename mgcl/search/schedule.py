"""Running of points on Ray Tune: Optuna proposes them, and bad points are stopped early."""

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

# A point whose worker dies is started at most this many times in all.
_ATTEMPTS = 3
# Complete points before others are compared with their median, and batches before a point may be stopped.
_MEDIAN_OF, _GRACE = 5, 2


def run_points(
    study: Study,
    question: Question,
    points: int,
    banks: Mapping[str, str],
    there: Cluster,
    on_point: Callable[[FrozenTrial], object] = lambda _: None,
) -> None:
    """Run points on a connected cluster until a study has ``points`` of them.

    With one worker at a time the study depends on the question only, whether it was interrupted or not.

    Args:
        study: study from ``open_study``.
        question: question of the study. If it is ``stopping``, a point is stopped early if its mean so far is worse
            than the median of the complete points after as many batches.
        points: number of points that the study should have at the end.
        banks: digest of each of the question's banks -> its location, valid on every node.
        there: the cluster.
        on_point: called in this process with every point that ended; an exception of it stops the search.

    Raises:
        SearchError: the first points all failed alike.
    """
    left = points - len(ended(study))
    if left <= 0:
        return
    search = _Search(question, study, on_point)
    with tempfile.TemporaryDirectory(prefix="tune-", dir=there.session) as storage:
        worker = Worker(banks, home(), there.gpus_per_slot)
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
    """Tune's Optuna searcher, which also reports batches to Optuna, and stopped or failed points as pruned."""

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
        """State without the driver's callback, because Tune pickles its searcher to restore experiments."""
        return {**self.__dict__, "_on_point": None}

    def judge(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Report a batch's result to Optuna; returns whether the point should be stopped."""
        if "error" in result or result["batches"] == self._batches:
            return False
        point = self._ot_trials[trial_id]
        point.report(result["figure"], result["batches"])
        return self._stopping and bool(point.should_prune())

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Implement Tune's searcher without any action, because ``judge`` has reported the result already."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Implement Tune's searcher: record a point's end; ``error``: its worker died the maximum number of times."""
        if result is None and not error:
            return  # Tune ended before the point did: the next command runs it again
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
        except Exception as raised:  # an error of the callback, kept because Tune would wrap it
            self.error = self.error or raised

    def _refuse_a_common_cause(self, cause: str | None) -> None:
        if self._common_cause.found(cause):
            self.error = SearchError(
                f"the first {FIRST} points failed alike, so the rest was not run: {cause}; mend that, then "
                "name another --study"
            )

    def save(self, checkpoint_path: str) -> None:
        """Implement Tune's searcher: write an empty checkpoint, because the study is in its own database."""
        Path(checkpoint_path).touch()


class _Stopping(FIFOScheduler):
    """Tune scheduler that stops a point if the search's ``judge`` returns True after a batch."""

    def __init__(self, search: _Search) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._search = search

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Implement Tune's scheduler: stop the point or let it continue."""
        return TrialScheduler.STOP if self._search.judge(trial.trial_id, result) else TrialScheduler.CONTINUE


def _run_point(config: dict[str, Value], question: Question, worker: Worker) -> None:
    """Run a point's batches in a Tune worker, and report the mean so far after every batch."""
    worker = _kept(" ".join(worker.banks[bank] for bank in question.banks), worker)
    anew = question.banks if "epsilon" in question.space else ()
    computed = {bank: worker.computed_similarities(bank) for bank in anew}
    means: list[float] = []
    for batch in question.at(config):
        scores = []
        for trial in batch:
            outcome = worker.run(trial, computed.get(trial.bank))
            if isinstance(outcome, TrialFailure):
                # Tune requires the metric in every report
                tune.report({"figure": 0.0, "batches": len(means), "error": outcome.error})
                return
            scores.append(question.metric.figure(outcome.scores))
        means.append(fsum(scores) / len(scores))
        tune.report({"figure": fsum(means) / len(means), "batches": len(means)})


_WORKERS: dict[str, Worker] = {}


def _kept(banks: str, worker: Worker) -> Worker:
    """The first of equal workers in this process, which has its banks open already."""
    return _WORKERS.setdefault(f"{banks} {worker.home} {worker.gpu_share}", worker)
