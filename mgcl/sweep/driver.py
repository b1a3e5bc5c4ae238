"""Run what is missing of a sweep, record each outcome as it comes, and say how the sweep stands."""

import platform
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mgcl.features import FeatureBank
from mgcl.home import home
from mgcl.machines import Machines
from mgcl.progress import Bar
from mgcl.records import Trial, TrialRun
from mgcl.sweep.estimates import Pace, estimator, longest_first
from mgcl.sweep.grid import Cell
from mgcl.sweep.queue import Held

if TYPE_CHECKING:
    from mgcl.sweep.desk import Desk
    from mgcl.sweep.tracking import Tracking


def state(cell: Cell, recorded: Mapping[str, TrialRun]) -> str:
    """How a trial stands: "done", "failed" or "missing"."""
    run = recorded.get(cell.trial.key)
    return "missing" if run is None else "done" if run.status == "FINISHED" else "failed"


def count(cells: Sequence[Cell], recorded: Mapping[str, TrialRun]) -> Counter[str]:
    """How many trials stand in each state."""
    return Counter(state(cell, recorded) for cell in cells)


def run_missing(
    name: str,
    cells: Sequence[Cell],
    bank: FeatureBank,
    store: "Tracking",
    machines: Machines | None,
    *,
    location: str,
    retry_failed: bool,
    only: Collection[str] | None = None,
) -> None:
    """Run the trials of a sweep that have no run yet, and with ``retry_failed`` those whose run failed.

    Args:
        name: of the sweep.
        cells: what it comes down to.
        bank: what it runs on.
        store: where its runs are kept.
        machines: where trials run; None: in this process, without Ray.
        location: of the bank, as every machine sees it.
        retry_failed: run failed trials again.
        only: keys of trials; None: all of them.

    Raises:
        ClusterError: no Ray cluster answers, or its workers do not stay alive.
        SweepError: the first trials all failed alike.
        TrackingError: the store did not take every result, not even at the end.
    """
    runs = store.runs()
    recorded = {run.key: run for run in runs}
    for cell in cells:
        run = recorded.get(cell.trial.key)
        if run and not set(cell.variants) <= set(run.variants):
            store.name_variants(run, cell.variants)
    wanted = {"missing", "failed"} if retry_failed else {"missing"}
    open_cells = [cell for cell in cells if state(cell, recorded) in wanted]
    todo = [cell for cell in open_cells if not only or cell.trial.key in only]
    if not todo:
        print(f"{name}: nothing to run, all {len(only or cells)} trials are recorded")
        return
    other = store.last_progress()
    if other and other.at_work:
        print(f"a driver on {other.host} was at work a moment ago: if it still is, trials run twice, and count once")
    print(
        f"{name}: {len(cells)} trials, {len(cells) - len(open_cells)} recorded, {len(todo)} to run",
        flush=True,
    )
    seconds = estimator((cell.trial for cell in cells), runs)
    trials = longest_first([cell.trial for cell in todo], seconds)
    pace = Pace([cell.trial for cell in cells], runs, {trial.key for trial in trials})
    with _desk(cells, bank, store, pace) as desk:
        if machines:
            _run_on_ray(trials, location, desk, machines)
        else:
            _run_here(trials, location, desk)


@contextmanager
def _desk(cells: Sequence[Cell], bank: FeatureBank, store: "Tracking", pace: Pace) -> Iterator["Desk"]:
    from mgcl.sweep.desk import Desk

    with Bar(total=len(cells), initial=len(cells) - len(pace.left), unit="trial", estimated=True) as bar:
        desk = Desk(cells, store, bank, bar, pace)
        desk.tell()
        try:
            yield desk
        finally:
            desk.close()


def _run_on_ray(trials: Sequence[Trial], bank: str, desk: "Desk", machines: Machines) -> None:
    from joblib import cpu_count

    from mgcl.cluster import cluster
    from mgcl.sweep.schedule import run_trials

    with cluster(machines, cpus=machines.actors or cpu_count(), dashboard=True) as there:
        if there.dashboard:
            desk.say(f"Ray:    http://{there.dashboard}")
        desk.say(f"opening the bank on {min(there.slots, len(trials))} workers ...")
        run_trials(trials, bank, there, desk.take, desk.tell)


def _run_here(trials: Sequence[Trial], bank: str, desk: "Desk") -> None:
    """In this process, until Ctrl-C."""
    import torch

    from mgcl.sweep.worker import Worker

    worker = Worker(bank, trials[0].bank, home(), gpu_share=float(torch.cuda.is_available()))
    with suppress(KeyboardInterrupt):
        for trial in trials:
            desk.tell((Held(trial, platform.node(), time.time()),))
            desk.take(worker.run(trial))
