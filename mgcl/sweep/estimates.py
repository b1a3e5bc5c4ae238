"""Estimates of the duration of trials, from the duration of others."""

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from mgcl.catalogue import load
from mgcl.cluster.queue import Held, Outcome
from mgcl.records import Trial, TrialResult, TrialRun
from mgcl.tasks import Task

_UNKNOWN = object()


@dataclass(frozen=True)
class Kind:
    """What decides how long a trial is expected to take."""

    groups: tuple[Hashable, ...]
    """Groups of similar trials that the trial belongs to, from the most to the least similar."""
    work: float
    """Relative duration, in the units of the task's ``work``."""


def kind(trial: Trial) -> Kind:
    """Return a trial's kind: trials of one variant and column are of one kind, whatever their fold and seed."""
    task: Task = load("task", trial.task)
    variant = (trial.method, tuple(sorted(trial.parameters.items())))
    place = task.place(trial.cell)
    column = tuple(place[name] for name in task.COLUMNS)
    return Kind(((variant, column), variant, trial.method, None), work(trial))


def work(trial: Trial) -> float:
    """Relative duration of a trial, in the units of its task's ``work``."""
    task: Task = load("task", trial.task)
    return task.work(trial.cell, trial.parameters)


class Rates:
    """Seconds per unit of work that trials took, for all groups of similar trials."""

    def __init__(self) -> None:
        self._rates: defaultdict[Hashable, list[float]] = defaultdict(list)
        self._medians: dict[Hashable, float] = {}

    def learn(self, of: Kind, seconds: float) -> None:
        """Add the duration of a trial that has run."""
        for group in of.groups:
            insort(self._rates[group], seconds / of.work)
            self._medians.pop(group, None)

    def seconds(self, of: Kind) -> float | None:
        """Estimate the seconds of a trial; None if no trial has run.

        The estimate is the trial's work times the median rate of the most similar trials that have run: same variant
        and column; else same variant; else same method; else any.
        """
        group = next((group for group in of.groups if group in self._rates), _UNKNOWN)
        if group is _UNKNOWN:
            return None
        if group not in self._medians:
            self._medians[group] = median(self._rates[group])
        return self._medians[group] * of.work


def estimator(trials: Iterable[Trial], runs: Iterable[TrialRun | TrialResult]) -> Callable[[Trial], float | None]:
    """Make a function that estimates the seconds which a trial will take its worker; see ``Rates.seconds``.

    Args:
        trials: all trials of the sweep.
        runs: runs or results of any of these trials.

    Returns:
        Function from a trial to its estimate, which is None if no trial has run.
    """
    rates, by_key = Rates(), {trial.key: trial for trial in trials}
    for run in runs:
        if run.key in by_key and run.seconds is not None:
            rates.learn(kind(by_key[run.key]), run.seconds)
    return lambda trial: rates.seconds(kind(trial))


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


class Pace:
    """Progress of a driver in seconds of work; the clock starts when the first worker takes a trial.

    Trials are counted by kind, so that an estimate takes no longer with a hundred thousand of them.

    Attributes:
        left: keys of trials to run that have not ended.
        began: start of the first trial, in seconds since 1970; None: none has started.
    """

    def __init__(self, trials: Sequence[Trial], runs: Sequence[TrialRun], left: Collection[str]) -> None:
        """Register the trials.

        Args:
            trials: all trials of the sweep.
            runs: runs that were recorded before the driver started.
            left: keys of trials to run.
        """
        alike: dict[Kind, Kind] = {}  # one object per kind
        found = ((trial.key, kind(trial)) for trial in trials)
        self._kinds = {key: alike.setdefault(each, each) for key, each in found}
        self.left = {key for key in left if key in self._kinds}
        self._waiting = Counter(self._kinds[key] for key in self.left)
        self._rates = Rates()
        for run in runs:
            if run.key in self._kinds and run.seconds is not None:
                self._rates.learn(self._kinds[run.key], run.seconds)
        self._worked = 0.0
        self.began: float | None = None

    def end(self, outcome: Outcome, now: float) -> None:
        """Register the outcome of a trial that ended at ``now``, in seconds since 1970."""
        if outcome.key in self.left:
            self.left.remove(outcome.key)
            self._waiting[self._kinds[outcome.key]] -= 1
        if isinstance(outcome, TrialResult):
            if outcome.key in self._kinds:
                self._rates.learn(self._kinds[outcome.key], outcome.seconds)
            self._worked += outcome.seconds
            self.began = min(self.began or now, now - outcome.seconds)

    def seconds_left(self, held: Sequence[Held], now: float) -> float | None:
        """Estimate the seconds until the last trial ends; None if some trial cannot be estimated yet.

        Args:
            held: trials that workers are running.
            now: present time, in seconds since 1970.
        """
        started = [each.since for each in held]
        self.began = min([*started, *([self.began] if self.began else [])], default=None)
        expected = {each: self._rates.seconds(each) for each, count in self._waiting.items() if count}
        known = {each: seconds for each, seconds in expected.items() if seconds is not None}
        if len(known) < len(expected):
            return None
        running = [(self._kinds[each.trial.key], each.since) for each in held if each.trial.key in self.left]
        waiting = self._waiting - Counter(each for each, _ in running)
        return time_left(
            self._worked,
            [(now - since, known[each]) for each, since in running],
            [known[each] for each in waiting.elements()],
            elapsed=now - self.began if self.began else 0.0,
        )
