"""How long trials will take, from what others took. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from mgcl.catalogue import load
from mgcl.cluster.queue import Held, Outcome
from mgcl.records import Trial, TrialResult, TrialRun
from mgcl.tasks import Task


def work(trial: Trial) -> float:
    """As its task reckons."""
    task: Task = load("task", trial.task)
    return task.work(trial.cell, trial.parameters)


def estimator(trials: Iterable[Trial], runs: Iterable[TrialRun | TrialResult]) -> Callable[[Trial], float | None]:
    """Seconds that a trial will take its worker, learned from the runs of trials.

    The rate, in seconds a unit of ``work``, is that of the trials that are most like it: same variant and column;
    else same variant; else same method; else any. None: there is nothing to learn from.

    Args:
        trials: every trial of the sweep.
        runs: or results, of any of them.
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


def time_left(
    worked: float,
    under_way: Sequence[tuple[float, float]],
    waiting: Sequence[float],
    *,
    elapsed: float,
) -> float:
    """Seconds until all trials, or points, have ended, with as many workers at once as so far.

    Args:
        worked: seconds that workers spent on what has ended, added up.
        under_way: of each that runs now, how long it has, and how long it is expected to run in all.
        waiting: how long each of the others is expected to run.
        elapsed: seconds since the first of them began.
    """
    rest = [max(whole - spent, 0.0) for spent, whole in under_way]
    done = worked + sum(min(spent, whole) for spent, whole in under_way)
    # Seconds of work a second: the workers, less what they wait for one another and for the record.
    rate = done / elapsed if worked and elapsed > 0 else max(len(under_way), 1)
    return max([(sum(rest) + sum(waiting)) / rate, *rest, *waiting], default=0.0)


@dataclass
class Pace:
    """How far a driver is, in seconds of work; its clock starts when the first worker takes a trial."""

    trials: Sequence[Trial]
    """Every trial of the sweep."""
    runs: Sequence[TrialRun]
    """That were recorded before."""
    left: set[str]
    """Keys of trials that are to run and have not ended."""
    results: list[TrialResult] = field(default_factory=list)
    began: float | None = None
    """Seconds since 1970."""

    def end(self, outcome: Outcome, now: float) -> None:
        """A trial has ended at ``now``, in seconds since 1970."""
        self.left.discard(outcome.key)
        if isinstance(outcome, TrialResult):
            self.results.append(outcome)
            self.began = min(self.began or now, now - outcome.seconds)

    def seconds_left(self, held: Sequence[Held], now: float) -> float | None:
        """Until the last trial ends; None: nothing is known of any yet.

        Args:
            held: what the workers are at.
            now: seconds since 1970.
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
    """From the most alike to the least."""
    task: Task = load("task", trial.task)
    variant = (trial.method, tuple(sorted(trial.parameters.items())))
    place = task.place(trial.cell)
    column = tuple(place[name] for name in task.COLUMNS)
    return [(variant, column), variant, trial.method, None]
