"""Trials on Ray Tune: one actor a slot, pinned to its share of a GPU."""

import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
from ray import tune

from mgcl.errors import MgclWarning
from mgcl.home import home
from mgcl.records import Trial, TrialFailure, TrialResult

Outcome = TrialResult | TrialFailure

# A trial whose worker dies is started this many times in all before it counts as failed. Tune's own retries leave out
# a worker that dies between two trials, so they are off.
_ATTEMPTS = 3


def run_trials(
    trials: Sequence[Trial],
    bank: Path,
    on_outcome: Callable[[Outcome], None],
    *,
    workers: int | None,
    gpus_per_trial: float,
) -> None:
    """Run trials on the connected cluster; returns when all have ended, or after Ctrl-C.

    Args:
        trials: what to run.
        bank: the bank's folder, the same path on every node; actors open it once and keep it.
        on_outcome: called in this process with each outcome, as it comes.
        workers: trials at once, at most; None: as many as the cluster's CPUs and GPUs take.
        gpus_per_trial: each actor's share of a GPU; 0 runs on the CPU with one torch thread.
    """
    left = {trial.key: trial for trial in trials}
    for _ in range(_ATTEMPTS):
        listener = _Listener(on_outcome)
        _run_once(left, bank, listener, workers, gpus_per_trial)
        interrupted = len(listener.ended) + len(listener.died) < len(left)
        if interrupted or not listener.died:
            return
        left = {key: left[key] for key in listener.died}
    for key, error in listener.died.items():
        on_outcome(TrialFailure(key, f"its worker died {_ATTEMPTS} times", error))


def _run_once(
    trials: Mapping[str, Trial], bank: Path, listener: "_Listener", workers: int | None, gpus_per_trial: float
) -> None:
    with tempfile.TemporaryDirectory(prefix="mgcl-tune-") as storage:
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(_run_one, trials=trials, bank=str(bank), home_folder=str(home())),
                {"cpu": 1, "gpu": gpus_per_trial},
            ),
            param_space={"key": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                max_concurrent_trials=workers,
                trial_name_creator=lambda trial: str(trial.config["key"]),
                trial_dirname_creator=lambda trial: str(trial.config["key"]),
            ),
            run_config=tune.RunConfig(name="sweep", storage_path=storage, verbose=0, callbacks=[listener]),
        ).fit()


class _Listener(tune.Callback):
    """Hands outcomes to the driver, and keeps the keys of trials whose worker died, with the error."""

    def __init__(self, on_outcome: Callable[[Outcome], None]) -> None:
        self._on_outcome = on_outcome
        self.ended: set[str] = set()
        self.died: dict[str, str] = {}

    def on_trial_result(  # Tune's signature
        self,
        iteration: int,  # noqa: ARG002
        trials: list[Any],  # noqa: ARG002
        trial: Any,
        result: dict[str, Any],
        **_: Any,
    ) -> None:
        if "outcome" in result:
            self.ended.add(trial.config["key"])
            self._on_outcome(result["outcome"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002
        if trial.config["key"] not in self.ended:  # a worker may die after its result came
            self.died[trial.config["key"]] = str(trial.get_error() or "")


def _run_one(config: dict[str, str], trials: Mapping[str, Trial], bank: str, home_folder: str) -> None:
    """In the actor: one trial, whose own error is an outcome, not a crash."""
    import torch

    from mgcl.evaluation.trial import run_trial

    trial = trials[config["key"]]
    device = "cuda" if ray.get_gpu_ids() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)
    outcome: Outcome
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", MgclWarning)
            opened, similarities = _open_bank(bank, home_folder, device)
            outcome = run_trial(trial, opened, device=device, similarities=similarities)
        own = [str(each.message) for each in caught if issubclass(each.category, MgclWarning)]
        outcome = replace(outcome, notes=tuple(dict.fromkeys(own)))
    except Exception as error:
        outcome = TrialFailure(trial.key, f"{type(error).__name__}: {error}", traceback.format_exc())
    tune.report({"outcome": outcome})


@lru_cache(maxsize=1)
def _open_bank(path: str, home_folder: str, device: str) -> tuple[Any, Any]:
    """The bank and its similarities, which a worker keeps open from trial to trial."""
    from mgcl.evaluation.trial import similarity_store
    from mgcl.features import FeatureBank
    from mgcl.transport.tiles import machine_root

    bank = FeatureBank.open(path)
    return bank, similarity_store(bank, root=machine_root(Path(home_folder)), device=device)
