"""Run what is missing of a sweep, record each outcome as it comes, and say how the sweep stands."""

import sys
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mgcl.errors import SweepError, TrackingError
from mgcl.features import FeatureBank
from mgcl.records import TrialFailure, TrialResult, TrialRun
from mgcl.sweep.grid import Cell
from mgcl.sweep.provenance import source_revision

if TYPE_CHECKING:
    from mgcl.sweep.schedule import Outcome
    from mgcl.sweep.tracking import Tracking


@dataclass(frozen=True)
class Machines:
    """Where trials run.

    Attributes:
        address: of a running Ray cluster; None starts one here.
        workers: trials at once; None: every CPU.
        gpus_per_trial: share of a GPU; None: 1 where there are GPUs.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_trial: float | None = None

    def __post_init__(self) -> None:
        gpus = self.gpus_per_trial or 0
        if self.workers is not None and self.workers < 1:
            raise SweepError(f"--workers {self.workers}: at least 1")
        if not 0 <= gpus < float("inf"):
            raise SweepError(f"--gpus-per-trial {gpus}: 0 or more; fractions share a GPU")
        if gpus > 1 and gpus != int(gpus):
            raise SweepError(f"--gpus-per-trial {gpus}: above 1 only whole GPUs can be given")


def state(cell: Cell, recorded: Mapping[str, TrialRun]) -> str:
    """How a trial stands: "done", "failed" or "missing"."""
    run = recorded.get(cell.trial.key)
    return "missing" if run is None else "done" if run.status == "FINISHED" else "failed"


def count(cells: Sequence[Cell], recorded: Mapping[str, TrialRun]) -> Counter[str]:
    """How many trials stand in each state."""
    return Counter(state(cell, recorded) for cell in cells)


def run_missing(
    name: str, cells: Sequence[Cell], bank: FeatureBank, store: "Tracking", machines: Machines, *, retry_failed: bool
) -> None:
    """Run the trials of a sweep that have no run yet, and with ``retry_failed`` those whose run failed.

    Raises:
        ClusterError: no Ray cluster answers.
        TrackingError: the store did not take every result, not even at the end.
    """
    recorded = {run.key: run for run in store.runs()}
    for cell in cells:
        run = recorded.get(cell.trial.key)
        if run and not set(cell.variants) <= set(run.variants):
            store.name_variants(run, cell.variants)
    wanted = {"missing", "failed"} if retry_failed else {"missing"}
    todo = [cell for cell in cells if state(cell, recorded) in wanted]
    if not todo:
        print(f"{name}: nothing to run, all {len(cells)} trials are recorded")
        return
    print(f"{name}: {len(cells)} trials, {len(cells) - len(todo)} recorded, {len(todo)} to run", flush=True)
    _schedule(todo, len(cells), bank, store, machines)


def _schedule(todo: Sequence[Cell], total: int, bank: FeatureBank, store: "Tracking", machines: Machines) -> None:
    from joblib import cpu_count
    from tqdm import tqdm

    from mgcl.cluster import cluster
    from mgcl.sweep import schedule

    workers = machines.workers or (None if machines.address else cpu_count())
    with cluster(machines.address, workers or 1) as gpus:
        share = (1.0 if machines.gpus_per_trial is None else machines.gpus_per_trial) if gpus else 0.0
        if machines.gpus_per_trial and not gpus:
            print("the cluster has no GPU: trials run on CPUs")
        with tqdm(total=total, initial=total - len(todo), unit="trial", smoothing=0, dynamic_ncols=True) as bar:
            desk = _Desk(todo, store, bank, bar)
            trials = [cell.trial for cell in todo]
            schedule.run_trials(trials, bank.path, desk.take, workers=workers, gpus_per_trial=share)
    desk.close()


class _Desk:
    """Takes outcomes in: the record, and the progress line. While the store does not answer, they wait here."""

    def __init__(self, cells: Sequence[Cell], store: "Tracking", bank: FeatureBank, bar: Any) -> None:
        self._cells = {cell.trial.key: cell for cell in cells}
        self._store, self._bank, self._bar = store, bank, bar
        self._tags = source_revision()
        self._waiting: deque[Outcome] = deque()
        self._failed = 0
        self._warned: set[str] = set()
        self._latest: deque[str] = deque(maxlen=2)

    def take(self, outcome: "Outcome") -> None:
        """Record an outcome, now or with a later one, and show it."""
        self._waiting.append(outcome)
        try:
            self._record()
        except TrackingError as error:
            self._bar.write(f"{error}; {len(self._waiting)} results wait", file=sys.stderr)
        self._show(outcome)

    def close(self) -> None:
        """Record what waits.

        Raises:
            TrackingError: the store still does not answer.
        """
        try:
            self._record()
        except TrackingError as error:
            lost = len(self._waiting)
            raise TrackingError(f"{error}; {lost} results are not recorded: start the sweep again then") from None

    def _record(self) -> None:
        while self._waiting:
            outcome = self._waiting[0]
            self._store.record(self._cells[outcome.key], outcome, self._bank, self._tags)
            self._waiting.popleft()

    def _show(self, outcome: "Outcome") -> None:
        cell = self._cells[outcome.key]
        name = f"{cell.variants[0]} {cell.trial.way}w{cell.trial.shot}s"
        if isinstance(outcome, TrialFailure):
            self._failed += 1
            self._bar.write(f"failed: {name} (trial {outcome.key}): {outcome.error}", file=sys.stderr)
        else:
            self._latest.append(f"{name} {100 * outcome.accuracy:.1f} %")
            self._warn(name, outcome)
        self._bar.set_postfix_str(f"failed {self._failed}, last " + ", ".join(self._latest), refresh=False)
        self._bar.update()

    def _warn(self, name: str, result: TrialResult) -> None:
        """Each kind of warning once."""
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
