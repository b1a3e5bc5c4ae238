"""One Optuna study: points proposed, run on Ray Tune, and kept in a database that outlives the process."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from ray import tune
from ray.tune.schedulers import FIFOScheduler, MedianStoppingRule
from ray.tune.search.optuna import OptunaSearch

from mgcl.cluster import Cluster
from mgcl.errors import SearchError
from mgcl.home import home
from mgcl.records import Trial, Value, canonical_json
from mgcl.search.sampling import SteadySampler, distributions, tpe
from mgcl.search.space import Range

# A point whose worker dies is started this often.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Question:
    """What a study asks: everything that its answer depends on but the number of points."""

    trials: tuple[Trial, ...]
    """Batches of validation episodes; a point replaces some of their parameters."""
    space: Mapping[str, Range]
    seed: int

    @property
    def identity(self) -> str:
        """Studies with another one are not mixed."""
        return canonical_json([[trial.key for trial in self.trials], {n: asdict(r) for n, r in self.space.items()}, self.seed])

    def at(self, values: Mapping[str, Value]) -> tuple[Trial, ...]:
        """The trials whose mean accuracy is a point's value."""
        return tuple(replace(trial, parameters={**trial.parameters, **self.typed(values)}) for trial in self.trials)

    def typed(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """A point's values as the method takes them: a yes or no is drawn as a whole number."""
        defaults = self.trials[0].parameters
        return {name: bool(value) if isinstance(defaults[name], bool) else value for name, value in values.items()}


def open_study(name: str, question: Question, storage: str) -> Study:
    """A study, made if it is new; points that a killed process left under way have failed.

    Raises:
        SearchError: it asks something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    known = study.user_attrs.setdefault("identity", question.identity)
    if known != question.identity:
        raise SearchError(
            f"--study {storage}: {name!r} searched another space, other episodes or another seed; name another --study, "
            "or remove the study"
        )
    study.set_user_attr("identity", question.identity)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def ended(study: Study) -> list[FrozenTrial]:
    """Points that count: whole, or stopped early because they were bad."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def best(study: Study) -> FrozenTrial:
    """The best whole point; of equals the first.

    Raises:
        SearchError: there is none.
    """
    whole = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not whole:
        raise SearchError(f"study {study.study_name!r}: no point is complete; run it with more --trials")
    return max(whole, key=lambda trial: (trial.value, -trial.number))


def run_points(
    study: Study, question: Question, points: int, bank: str, there: Cluster, *, stopping: bool, say: Callable[[], None]
) -> None:
    """Run points on the connected cluster until a study has so many.

    Args:
        study: from ``open_study``.
        question: the same.
        points: that it should have at the end.
        bank: where the bank lies, as every node sees it.
        there: the cluster.
        stopping: end points early whose running mean is below the median of the others' at the same batch.
        say: called after each point.

    Raises:
        SearchError: points fail, one after the other.
    """
    search = _Search(question, study, say)
    while (left := points - len(ended(study))) > 0:
        failed = len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))
        with tempfile.TemporaryDirectory(prefix="tune-", dir=there.session) as storage:
            about = {"bank": bank, "digest": question.trials[0].bank, "home": home(), "gpu_share": there.gpus_per_slot}
            results = tune.Tuner(
                tune.with_resources(
                    tune.with_parameters(_run_point, question=question, about=about),
                    {"cpu": 1, "gpu": there.gpus_per_slot},
                ),
                tune_config=tune.TuneConfig(
                    search_alg=search,
                    scheduler=_median(len(question.trials)) if stopping else FIFOScheduler(),
                    metric="accuracy",
                    mode="max",
                    num_samples=left,
                    max_concurrent_trials=min(there.slots, left),
                    reuse_actors=True,
                ),
                run_config=tune.RunConfig(
                    name="search",
                    storage_path=storage,
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=_ATTEMPTS - 1),
                ),
            ).fit()
        if len(ended(study)) + left == points:  # not one came through
            errors = [str(result.error).strip().splitlines()[-1] for result in results if result.error]
            if not errors:
                return  # Ctrl-C
            raise SearchError(f"study {study.study_name!r}: every point failed, the last with {errors[-1]}")


class _Search(OptunaSearch):
    """Tells Optuna of a point that was stopped early, or failed in the middle, what it is: no whole one."""

    def __init__(self, question: Question, study: Study, say: Callable[[], None]) -> None:
        super().__init__(
            distributions(question.space),
            metric="accuracy",
            mode="max",
            sampler=SteadySampler(tpe, question.seed),
            study_name=study.study_name,
            storage=study._storage,
        )
        self._batches, self._say = len(question.trials), say

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tune's contract."""
        whole = result is not None and result.get("batches") == self._batches and not error
        super().on_trial_complete(trial_id, result if whole else None, error)
        self._say()


def _median(batches: int) -> MedianStoppingRule:
    return MedianStoppingRule(
        time_attr="batches", metric="accuracy", mode="max", grace_period=max(1, batches // 4), min_samples_required=5
    )


def _run_point(config: dict[str, Value], question: Question, about: Mapping[str, Any]) -> None:
    """In the worker: a point's batches one by one, each reported with the mean so far."""
    from mgcl.sweep.worker import Worker

    worker = Worker(**about)
    accuracies: list[float] = []
    for trial in question.at(config):
        accuracies.append(worker.accuracy(trial))
        tune.report({"accuracy": sum(accuracies) / len(accuracies), "batches": len(accuracies)})
