"""Receiver of the outcomes of trials: records them in the store and shows progress."""

import platform
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from mgcl.catalogue import load
from mgcl.cluster.queue import Held, Outcome
from mgcl.errors import SweepError, TrackingError
from mgcl.features import FeatureBank
from mgcl.progress import Bar
from mgcl.records import PlannedTrial, TrialFailure, TrialResult
from mgcl.sweep.alike import FIRST, CommonCause
from mgcl.sweep.estimates import Pace
from mgcl.sweep.provenance import source_revision
from mgcl.tracking.parent import Progress
from mgcl.tracking.record import Tracking
from mgcl.tracking.runs import row_and_column, run_name

# After a store did not answer, outcomes wait this long before the next attempt.
_RETRY_SECONDS = 15
_LAST_RETRIES_SECONDS = 10 * 60


class Recorder:
    """Records outcomes; while the store does not answer, they wait in this object."""

    def __init__(
        self, planned: Sequence[PlannedTrial], store: Tracking, banks: Sequence[FeatureBank], bar: Bar, pace: Pace
    ) -> None:
        self._planned = {each.trial.key: each for each in planned}
        self._banks = {bank.digest: bank for bank in banks}
        self._store, self._bar, self._pace = store, bar, pace
        self._tags = source_revision()
        self._started = time.time()
        self._waiting: deque[Outcome] = deque()
        self._ask_again = 0.0
        self._common_cause = CommonCause()
        self._failed = 0
        self._warned: set[str] = set()
        self._latest = "none yet"

    def receive(self, outcome: Outcome) -> None:
        """Record an outcome and show it; if the store does not answer, it is recorded with a later outcome.

        Raises:
            SweepError: the first trials all failed alike.
        """
        self._pace.end(outcome, time.time())
        self._waiting.append(outcome)
        if time.monotonic() >= self._ask_again:
            try:
                self._record()
            except TrackingError as error:
                self._ask_again = time.monotonic() + _RETRY_SECONDS
                self._bar.write(f"{error}; {len(self._waiting)} results wait here and are tried again", file=sys.stderr)
        self._show(outcome)
        self._refuse_a_common_cause(outcome)

    def say(self, words: str) -> None:
        """Print a line above the bar."""
        self._bar.write(words)

    def report(self, held: Sequence[Held] = (), lacking: Sequence[str] = (), *, ended: bool = False) -> None:
        """Show the time left, and store the progress for ``mgcl status`` if the store answers.

        Args:
            held: trials that workers are running.
            lacking: machines that workers wait for and the cluster's cloud refuses, in its words.
            ended: whether the driver has ended.
        """
        self._bar.expect(self._pace.seconds_left(held, time.time()), began=self._pace.began)
        if time.monotonic() >= self._ask_again:
            running = [
                (each.trial.key, run_name(self._planned[each.trial.key]), each.host, each.since) for each in held
            ]
            with suppress(TrackingError):
                self._store.tell(
                    Progress(
                        [*self._planned], platform.node(), self._started, time.time(), running, ended, lacking=lacking
                    )
                )

    def close(self) -> None:
        """Record waiting outcomes, and delete interrupted runs.

        If outcomes wait and the store does not answer, it is retried for ten minutes.

        Raises:
            TrackingError: the store still does not answer.
        """
        patience = Retrying(
            retry=retry_if_exception_type(TrackingError),
            wait=wait_fixed(_RETRY_SECONDS),
            stop=stop_after_delay(_LAST_RETRIES_SECONDS if self._waiting else 0),
            reraise=True,
        )
        try:
            patience(self._record)
            self._store.delete_interrupted()
            self.report(ended=True)
        except TrackingError as error:
            lost = len(self._waiting)
            raise TrackingError(f"{error}; {lost} results are not recorded: start the sweep again then") from None

    def _record(self) -> None:
        while self._waiting:
            outcome = self._waiting[0]
            planned = self._planned[outcome.key]
            self._store.record(planned, outcome, self._banks[planned.trial.bank], self._tags)
            self._waiting.popleft()

    def _refuse_a_common_cause(self, outcome: Outcome) -> None:
        if not isinstance(outcome, TrialFailure):
            self._common_cause.found(None)
        elif self._common_cause.found(outcome.cause):
            raise SweepError(
                f"the first {FIRST} trials failed alike, so the rest was not run: {outcome.error}; mend that, "
                "then `--retry failed` runs these again too"
            )

    def _show(self, outcome: Outcome) -> None:
        planned = self._planned[outcome.key]
        name = row_and_column(planned)
        if isinstance(outcome, TrialFailure):
            self._failed += 1
            self._bar.write(f"failed: {name} (trial {outcome.key}): {outcome.error}", file=sys.stderr)
        else:
            self._latest = f"{name} {_ranked(planned, outcome)}"
            self._warn(name, outcome)
        self._bar.set_postfix_str(f"failed {self._failed}, last " + self._latest, refresh=False)
        self._bar.update()

    def _warn(self, name: str, result: TrialResult) -> None:
        """Print the warnings of a result, every kind only once."""
        missed = result.convergence
        said = {note: note for note in result.notes}
        if missed.unconverged:
            said["unconverged"] = (
                f"{name} (trial {result.key}): {missed.unconverged:,} of {missed.problems:,} transport problems missed "
                "their tolerance; the report counts them all"
            )
        for kind, words in said.items():
            if kind not in self._warned:
                self._warned.add(kind)
                self._bar.write(f"warning: {words}", file=sys.stderr)


def _ranked(planned: PlannedTrial, result: TrialResult) -> str:
    """Printed figure of a trial by the task's ranked metric, e.g. "92.00 %"."""
    metric = load("task", planned.trial.task).METRICS[0]
    return f"{metric.text(metric.figure(result.scores))} {metric.symbol}".strip()
