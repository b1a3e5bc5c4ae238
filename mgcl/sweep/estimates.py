"""How long a trial will take, from what others took. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from statistics import median

from mgcl.records import Trial, TrialRun


def work(trial: Trial) -> float:
    """Clips that a trial goes through: each query clip once, each support clip once and once an epoch."""
    epochs = trial.parameters.get("epochs")
    passes = 1 + (epochs if isinstance(epochs, int) else 0)
    return float(trial.episodes * trial.way * (trial.queries + trial.shot * passes))


def estimator(trials: Iterable[Trial], runs: Iterable[TrialRun]) -> Callable[[Trial], float | None]:
    """Seconds that a trial will take its worker, learned from the runs of trials.

    The rate, in seconds a unit of ``work``, is that of the trials that are most like it: same variant, way and shot;
    else same variant; else same method; else any. None: there is nothing to learn from.

    Args:
        trials: every trial of the sweep.
        runs: of any of them.
    """
    by_key = {trial.key: trial for trial in trials}
    rates: defaultdict[Hashable, list[float]] = defaultdict(list)
    for run in runs:
        trial = by_key.get(run.key)
        if trial and run.seconds is not None:
            for group in _groups(trial):
                rates[group].append(run.seconds / work(trial))
    known = {group: median(each) for group, each in rates.items()}

    def seconds(trial: Trial) -> float | None:
        rate = next((known[group] for group in _groups(trial) if group in known), None)
        return None if rate is None else rate * work(trial)

    return seconds


def longest_first(trials: Sequence[Trial], seconds: Callable[[Trial], float | None]) -> list[Trial]:
    """So that none starts late and runs alone at the end; by ``work`` where seconds are not known."""
    known = [seconds(trial) for trial in trials]
    lengths = [work(trial) if None in known else length or 0.0 for trial, length in zip(trials, known, strict=True)]
    return [trials[index] for index in sorted(range(len(trials)), key=lambda index: -lengths[index])]


def _groups(trial: Trial) -> list[Hashable]:
    """From the most alike to the least."""
    variant = (trial.method, tuple(sorted(trial.parameters.items())))
    return [(variant, trial.way, trial.shot), variant, trial.method, None]
