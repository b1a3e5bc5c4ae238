"""``mgcl status``: show the progress of a sweep or a search."""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mgcl.cli.commands import Commands
from mgcl.home import home

if TYPE_CHECKING:
    from mgcl.records import TrialRun
    from mgcl.tracking.parent import Progress


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    status = commands.add_parser(
        "status", help="how far a sweep or a search is, what runs where, and when it will be done"
    )
    status.add_argument("name", help="of the sweep or search, e.g. full_grid")
    status.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    status.set_defaults(job=_status)


def _status(flags: argparse.Namespace) -> int:
    from mgcl.tracking.parent import last_progress, progress_of
    from mgcl.tracking.record import recorded_runs
    from mgcl.tracking.store import default_uri, no_sweep

    uri = flags.tracking_uri or default_uri()
    progress = last_progress(flags.name, uri)
    recorded = recorded_runs(flags.name, uri)  # read after the progress: trials recorded meanwhile count
    progress = progress or progress_of(recorded)
    if progress is None and (standing := _standing(flags.name, uri)):
        print("\n".join(standing))
        return 0
    if progress is None:
        raise no_sweep(uri, flags.name)
    keys = set(progress.keys)
    runs = [run for run in recorded if run.key in keys]
    states = trial_states(progress, runs)
    counts = Counter(states.values())
    missing = counts["running"] + counts["waiting"]
    running = [each for each in progress.running if states.get(each[0]) == "running"]
    print(
        f"{flags.name}: {len(keys)} trials: {counts['done']} done, {counts['failed']} failed, "
        f"{counts['running']} running, {counts['waiting']} waiting"
    )
    if progress.note:
        print(progress.note)
    print(f"started on {progress.host}, {datetime.fromtimestamp(progress.started):%Y-%m-%d %H:%M:%S}")
    if missing and progress.at_work:
        print("\n".join([pace(progress, running, runs, missing, now=time.time()), *refusals(progress)]))
    elif missing and progress.ended:
        print("its driver has ended; the same command runs the rest")
    elif missing:
        silent = _duration(time.time() - progress.said)
        print(
            f"no word from its driver for {silent}: killed, or it does not reach MLflow; the same command runs the rest"
        )
    for key, name, host, since in running:
        print(f"running {key}  {name}, on {host} for {_duration(time.time() - since)}")
    for run in runs:
        if states[run.key] == "failed":
            print(f"failed  {run.key}  {', '.join(run.variants)}: {run.error.splitlines()[0]}")
    print(f"what a trial said: {home() / 'logs' / 'KEY.log'}")
    return 0


def trial_states(progress: "Progress", runs: "Sequence[TrialRun]") -> dict[str, str]:
    """State of every trial: "done", "failed", "running" or "waiting".

    The driver's report may be older than the recorded runs, which take precedence.

    Args:
        progress: the driver's last report.
        runs: recorded runs, read after the report.

    Returns:
        Key of a trial -> its state.
    """
    recorded = {run.key: run for run in runs}
    since = {key: began for key, _, _, began in progress.running} if progress.at_work else {}

    def state(key: str) -> str:
        run = recorded.get(key)
        if run and run.status == "FINISHED":
            return "done"
        if run and run.ended >= since.get(key, 0.0):  # an older failure is being retried
            return "failed"
        return "running" if key in since else "waiting"

    return {key: state(key) for key in progress.keys}


def pace(
    progress: "Progress",
    running: "Sequence[tuple[str, str, str, float]]",
    runs: "Sequence[TrialRun]",
    missing: int,
    *,
    now: float,
) -> str:
    """Pace of a sweep and its estimated time left, as text; a note if no trial has ended yet.

    The clock starts when the first worker took a trial.

    Args:
        progress: the driver's last report.
        running: the report's trials that still run.
        runs: recorded runs.
        missing: number of trials that run or wait.
        now: present time, in seconds since 1970.
    """
    ended = [run for run in runs if run.ended > progress.started]
    took = [run.seconds for run in ended if run.seconds is not None]
    if not took:
        return "too early to tell the pace"
    from mgcl.sweep.estimates import time_left

    began = min([run.ended - (run.seconds or 0.0) for run in ended] + [since for *_, since in running])
    each = sum(took) / len(took)
    under_way = [(max(now - since, 0.0), each) for *_, since in running]
    left = time_left(sum(took), under_way, [each] * (missing - len(running)), elapsed=now - began)
    return f"{60 * len(ended) / max(now - began, 1.0):.1f} trials a minute, about {_duration(left)} left"


def refusals(progress: "Progress") -> list[str]:
    """Lines that name the machines which workers wait for and the cluster's cloud refuses."""
    return [f"workers wait for machines, and the cloud refuses {each}" for each in progress.lacking]


def _standing(name: str, uri: str) -> list[str]:
    """Progress of a search, one line per study; empty if there is no search of that name."""
    from mgcl.search.export import standing

    studies = standing(name, uri)
    if not studies:
        return []
    lines = [_study(study, states, planned) for study, (states, planned) in studies.items()]
    fewer = any(sum(states.values()) < (planned or 0) for states, planned in studies.values())
    advice = ["fewer points than planned: it is at work, or the same command goes on with it"] if fewer else []
    return [f"{name}: a search, with these studies", *lines, *advice]


def _study(study: str, states: Mapping[str, int], planned: int | None) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{study}: {sum(states.values())} of {planned or '?'} points{': ' if counts else ''}{counts}"


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))
