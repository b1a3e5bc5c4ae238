"""Estimates of the duration of trials, from the duration of others. All functions are pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from mgcl.catalogue import load
from mgcl.cluster.queue import Held, Outcome
from mgcl.records import Trial, TrialResult, TrialRun
from mgcl.tasks import Task


def work(trial: Trial) -> float:
    """Relative duration of a trial, in the units of its task's ``work``."""
    task: Task = load("task", trial.task)
    return task.work(trial.cell, trial.parameters)


def estimator(trials: Iterable[Trial], runs: Iterable[TrialRun | TrialResult]) -> Callable[[Trial], float | None]:
    """Make a function that estimates the seconds which a trial will take its worker.

    The estimate is the trial's ``work`` times a rate, in seconds per unit of ``work``. The rate is the median of the
    most similar trials that have run: same variant and column; else same variant; else same method; else any.

    Args:
        trials: all trials of the sweep.
        runs: runs or results of any of these trials.

    Returns:
        Function from a trial to its estimate, which is None if no trial has run.
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
    """Sort trials by estimated duration, so that no long trial starts late and runs alone at the end.

    If the seconds of some trial are not known, all are sorted by ``work``.
    """
    known = [seconds(trial) for trial in trials]
    lengths = [work(trial) if None in known else length or 0.0 for trial, length in zip(trials, known, strict=True)]
    return [trials[index] for index in sorted(range(len(trials)), key=lambda index: -lengths[index])]


def time_left(
    worked: float,
    under_way: Sequence[tuple[float, float]],
    waiting: Sequence[float],
    *,
    elapsed: float,
) -> float:
    """Estimate the seconds until all trials or points have ended, with as many workers at once as so far.

    Args:
        worked: sum of the seconds that workers spent on trials that have ended.
        under_way: (seconds so far, expected seconds in total) per running trial.
        waiting: expected seconds per trial that has not started.
        elapsed: seconds since the first trial began.
    """
    rest = [max(whole - spent, 0.0) for spent, whole in under_way]
    done = worked + sum(min(spent, whole) for spent, whole in under_way)
    # Seconds of work per second: the number of workers, less their waiting for one another and for the recorder.
    rate = done / elapsed if worked and elapsed > 0 else max(len(under_way), 1)
    return max([(sum(rest) + sum(waiting)) / rate, *rest, *waiting], default=0.0)


@dataclass
class Pace:
    """Progress of a driver in seconds of work; the clock starts when the first worker takes a trial."""

    trials: Sequence[Trial]
    """All trials of the sweep."""
    runs: Sequence[TrialRun]
    """Runs that were recorded before the driver started."""
    left: set[str]
    """Keys of trials to run that have not ended."""
    results: list[TrialResult] = field(default_factory=list)
    began: float | None = None
    """Start of the first trial, in seconds since 1970; None: none has started."""

    def end(self, outcome: Outcome, now: float) -> None:
        """Register the outcome of a trial that ended at ``now``, in seconds since 1970."""
        self.left.discard(outcome.key)
        if isinstance(outcome, TrialResult):
            self.results.append(outcome)
            self.began = min(self.began or now, now - outcome.seconds)

    def seconds_left(self, held: Sequence[Held], now: float) -> float | None:
        """Estimate the seconds until the last trial ends; None if some trial cannot be estimated yet.

        Args:
            held: trials that workers are running.
            now: present time, in seconds since 1970.
        """
        since = {each.trial.key: each.since for each in held}
        self.began = min([*since.values(), *([self.began] if self.began else [])], default=None)
        seconds = estimator(self.trials, [*self.runs, *self.results])
        expected = {trial.key: seconds(trial) for trial in self.trials if trial.key in self.left}
        known = {key: each for key, each in expected.items() if each is not None}
        if len(known) < len(expected):
            return None
        return time_left(
            sum(result.seconds for result in self.results),
            [(now - since[key], each) for key, each in known.items() if key in since],
            [each for key, each in known.items() if key not in since],
            elapsed=now - self.began if self.began else 0.0,
        )


def _groups(trial: Trial) -> list[Hashable]:
    """Groups of similar trials that a trial belongs to, from the most to the least similar."""
    task: Task = load("task", trial.task)
    variant = (trial.method, tuple(sorted(trial.parameters.items())))
    place = task.place(trial.cell)
    column = tuple(place[name] for name in task.COLUMNS)
    return [(variant, column), variant, trial.method, None]
