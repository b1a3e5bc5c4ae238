"""State of a sweep's trials, and running of the missing ones; every outcome is recorded as soon as it arrives."""

import platform
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.cluster.machines import Machines
from mgcl.cluster.queue import Held
from mgcl.features import FeatureBank
from mgcl.home import home
from mgcl.progress import Bar
from mgcl.records import PlannedTrial, Trial, TrialRun
from mgcl.sweep.estimates import Pace, estimator, longest_first

if TYPE_CHECKING:
    from mgcl.sweep.recorder import Recorder
    from mgcl.tracking.record import Tracking


def state(planned: PlannedTrial, recorded: Mapping[str, TrialRun]) -> str:
    """State of a trial: "done", "failed" or "missing"."""
    run = recorded.get(planned.trial.key)
    return "missing" if run is None else "done" if run.status == "FINISHED" else "failed"


def count(planned: Sequence[PlannedTrial], recorded: Mapping[str, TrialRun]) -> Counter[str]:
    """Number of trials per state."""
    return Counter(state(each, recorded) for each in planned)


@dataclass(frozen=True)
class Todo:
    """Planned, recorded and missing trials of a sweep."""

    planned: Sequence[PlannedTrial]
    """All of the sweep's trials."""
    runs: Sequence[TrialRun]
    """Recorded runs of the sweep."""
    trials: Sequence[Trial]
    """Trials to run, the longest first."""


def missing(
    planned: Sequence[PlannedTrial],
    runs: Sequence[TrialRun],
    *,
    retry_failed: bool = False,
    only: Collection[str] | None = None,
) -> Todo:
    """Find the trials that have no run yet.

    Args:
        planned: all trials of a sweep.
        runs: recorded runs of the sweep.
        retry_failed: count trials whose run failed as missing too.
        only: keys of trials that may run; None: all trials.
    """
    recorded = {run.key: run for run in runs}
    wanted = {"missing", "failed"} if retry_failed else {"missing"}
    trials = [
        each.trial for each in planned if state(each, recorded) in wanted and (not only or each.trial.key in only)
    ]
    seconds = estimator((each.trial for each in planned), runs)
    return Todo(planned, runs, longest_first(trials, seconds))


def run(todo: Todo, banks: Mapping[str, FeatureBank], store: "Tracking", machines: Machines | None) -> None:
    """Run trials, and record every trial as it ends.

    Args:
        todo: what to run, with at least one trial.
        banks: location of a bank, valid on every machine -> the opened bank.
        store: where runs are recorded.
        machines: where trials run; None: in this process, without Ray.

    Raises:
        ClusterError: no Ray cluster answers, or its workers do not stay alive.
        SweepError: the first trials all failed alike.
        TrackingError: some results could not be recorded, not even at the end.
    """
    locations = {bank.digest: location for location, bank in banks.items()}
    with _recorder(todo, list(banks.values()), store) as recorder:
        if machines:
            _run_on_ray(todo.trials, locations, recorder, machines)
        else:
            _run_here(todo.trials, locations, recorder)


@contextmanager
def _recorder(todo: Todo, banks: Sequence[FeatureBank], store: "Tracking") -> Iterator["Recorder"]:
    from mgcl.sweep.recorder import Recorder

    pace = Pace([each.trial for each in todo.planned], todo.runs, {trial.key for trial in todo.trials})
    total = len(todo.planned)
    with Bar(total=total, initial=total - len(pace.left), unit="trial", estimated=True) as bar:
        recorder = Recorder(todo.planned, store, banks, bar, pace)
        recorder.report()
        try:
            yield recorder
        finally:
            recorder.close()


def _run_on_ray(trials: Sequence[Trial], banks: Mapping[str, str], recorder: "Recorder", machines: Machines) -> None:
    from joblib import cpu_count

    from mgcl.cluster.connect import cluster
    from mgcl.cluster.workers import run_on_workers
    from mgcl.sweep.worker import Worker

    with cluster(machines, cpus=machines.actors or cpu_count(), dashboard=True) as there:
        if there.dashboard:
            recorder.say(f"Ray:    http://{there.dashboard}")
        recorder.say(f"opening the bank on {min(there.slots, len(trials))} workers ...")
        worker = Worker(banks, home(), there.gpus_per_slot)
        run_on_workers(trials, worker, there, recorder.receive, recorder.report)


def _run_here(trials: Sequence[Trial], banks: Mapping[str, str], recorder: "Recorder") -> None:
    """Run trials one by one in this process, until all are done or Ctrl-C."""
    import torch

    from mgcl.sweep.worker import Worker

    worker = Worker(banks, home(), gpu_share=float(torch.cuda.is_available()))
    with suppress(KeyboardInterrupt):
        for trial in trials:
            recorder.report((Held(trial, platform.node(), time.time()),))
            recorder.receive(worker.run(trial))
