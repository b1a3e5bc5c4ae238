"""Queue of trials: waiting, running and ended ones. It does not import ray; on a cluster it runs in its own actor."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from mgcl.records import Trial, TrialFailure, TrialResult

Outcome = TrialResult | TrialFailure

# A trial whose worker dies counts as failed after this many starts in all.
ATTEMPTS = 3


@dataclass(frozen=True)
class Held:
    """Trial that a worker is running."""

    trial: Trial
    host: str
    since: float
    """Time when the worker took the trial, in seconds since 1970."""


class Queue:
    """Queue that hands out trials in the given order and accepts one outcome per trial."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._waiting = deque(trials)
        self._held: dict[str, Held] = {}
        self._outcomes: list[Outcome] = []
        self._ended: set[str] = set()
        self._deaths: Counter[str] = Counter()

    def take(self, worker: str, host: str, outcome: Outcome | None = None) -> Trial | None:
        """Accept the outcome of a worker's last trial and return its next trial, or None if no trial waits.

        A worker that holds a trial but passes no outcome is a new process that replaces a dead one.
        """
        held = self._held.pop(worker, None)
        if outcome:
            self._hand_in(outcome)
        elif held:
            self._return(held.trial, "its process is gone")
        while self._waiting:
            trial = self._waiting.popleft()
            if trial.key not in self._ended:  # the outcome of a trial considered lost may have arrived
                self._held[worker] = Held(trial, host, time.time())
                return trial
        return None

    def lost(self, worker: str, error: str) -> bool:
        """Put the trial of a dead worker at the end of the queue; return whether the worker had a trial.

        A trial that has lost its worker ``ATTEMPTS`` times fails instead.
        """
        held = self._held.pop(worker, None)
        if held:
            self._return(held.trial, error)
        return held is not None

    def collect(self, most: int) -> list[Outcome]:
        """Remove and return the oldest outcomes, at most ``most`` of them."""
        outcomes, self._outcomes = self._outcomes[:most], self._outcomes[most:]
        return outcomes

    def close(self) -> None:
        """Drop all waiting trials, so that no further trial starts."""
        self._waiting.clear()

    def held(self) -> tuple[Held, ...]:
        """Return the running trials, the oldest first."""
        return tuple(sorted(self._held.values(), key=lambda held: held.since))

    def _hand_in(self, outcome: Outcome) -> None:
        if outcome.key not in self._ended:
            self._ended.add(outcome.key)
            self._outcomes.append(outcome)

    def _return(self, trial: Trial, error: str) -> None:
        self._deaths[trial.key] += 1
        if self._deaths[trial.key] < ATTEMPTS:
            self._waiting.append(trial)
        else:
            self._hand_in(TrialFailure(trial.key, f"its worker died {ATTEMPTS} times", error))
