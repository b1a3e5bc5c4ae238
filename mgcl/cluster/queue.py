"""Which trials wait, who has which, and what came back. Pure: on a cluster it lives in an actor of its own."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from mgcl.records import Trial, TrialFailure, TrialResult

Outcome = TrialResult | TrialFailure

# A trial whose worker dies is started this many times in all before it counts as failed.
ATTEMPTS = 3


@dataclass(frozen=True)
class Held:
    """A trial that a worker is at."""

    trial: Trial
    host: str
    since: float
    """Seconds since 1970."""


class Queue:
    """Hands out trials in the order given; each is handed in once."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._waiting = deque(trials)
        self._held: dict[str, Held] = {}
        self._outcomes: list[Outcome] = []
        self._ended: set[str] = set()
        self._deaths: Counter[str] = Counter()

    def take(self, worker: str, host: str, outcome: Outcome | None = None) -> Trial | None:
        """The next trial for a worker, in exchange for the outcome of its last one; None: there is no more.

        A worker that has a trial and brings no outcome is a new process in the place of one that died.
        """
        held = self._held.pop(worker, None)
        if outcome:
            self._hand_in(outcome)
        elif held:
            self._return(held.trial, "its process is gone")
        while self._waiting:
            trial = self._waiting.popleft()
            if trial.key not in self._ended:  # one that was thought lost may have come back
                self._held[worker] = Held(trial, host, time.time())
                return trial
        return None

    def lost(self, worker: str, error: str) -> bool:
        """A worker died: its trial waits again, behind the others; whether it had one."""
        held = self._held.pop(worker, None)
        if held:
            self._return(held.trial, error)
        return held is not None

    def collect(self, most: int) -> list[Outcome]:
        """The oldest outcomes that were not collected yet, so many at most."""
        outcomes, self._outcomes = self._outcomes[:most], self._outcomes[most:]
        return outcomes

    def close(self) -> None:
        """Hand out nothing more."""
        self._waiting.clear()

    def held(self) -> tuple[Held, ...]:
        """What is being worked at, the oldest first."""
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
