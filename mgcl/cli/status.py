"""``mgcl status``: how far a sweep is."""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mgcl.cli.commands import Commands
from mgcl.home import home

if TYPE_CHECKING:
    from mgcl.records import TrialRun
    from mgcl.sweep.tracking import Progress


def add(commands: Commands) -> None:
    """Add the command to the parser's."""
    status = commands.add_parser("status", help="how far a sweep is, what runs where, and when it will be done")
    status.add_argument("name", help="of the sweep, e.g. full_grid")
    status.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    status.set_defaults(job=_status)


def _status(flags: argparse.Namespace) -> int:
    from mgcl.sweep import tracking
    from mgcl.sweep.store import default_uri, no_sweep

    uri = flags.tracking_uri or default_uri()
    recorded = tracking.recorded_runs(flags.name, uri)
    progress = tracking.last_progress(flags.name, uri) or tracking.progress_of(recorded)
    if progress is None:
        raise no_sweep(uri, flags.name)
    keys = set(progress.keys)
    runs = [run for run in recorded if run.key in keys]
    counts = Counter(run.status for run in runs)
    missing = len(keys) - len(runs)
    running = progress.running if progress.at_work else ()
    print(
        f"{flags.name}: {len(keys)} trials: {counts['FINISHED']} done, {counts['FAILED']} failed, "
        f"{len(running)} running, {missing - len(running)} waiting"
    )
    if progress.note:
        print(progress.note)
    print(f"started on {progress.host}, {datetime.fromtimestamp(progress.started):%Y-%m-%d %H:%M:%S}")
    if progress.at_work:
        print(_pace(progress, runs, missing))
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
        if run.status == "FAILED":
            print(f"failed  {run.key}  {', '.join(run.variants)}: {run.error.splitlines()[0]}")
    print(f"what a trial said: {home() / 'logs' / 'KEY.log'}")
    return 0


def _pace(progress: "Progress", runs: "Sequence[TrialRun]", missing: int) -> str:
    """From the first result on: Ray takes a while to start."""
    ended = sorted(run.ended for run in runs if run.ended > progress.started)
    if len(ended) < 2:
        return "too early to tell the pace"
    seconds = (time.time() - ended[0]) / (len(ended) - 1)
    return f"{60 / seconds:.1f} trials a minute, about {_duration(missing * seconds)} left"


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))
