"""The command line of a sweep file: plan, run what is missing, report."""

import argparse
import datetime
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from joblib import cpu_count

from mgcl.errors import SweepError, run_and_exit
from mgcl.extraction.embedded import embedded_sounds
from mgcl.home import home, similarity_limit
from mgcl.machines import Machines
from mgcl.progress import at_work
from mgcl.records import TrialRun
from mgcl.reporting import report, tables
from mgcl.sweep.driver import count, run_missing, state
from mgcl.sweep.estimates import estimator
from mgcl.sweep.flags import add_episode_flags, add_machine_flags, machines, open_bank, override
from mgcl.sweep.grid import Cell, Sweep, left_out, plan
from mgcl.sweep.variants import VARIANTS


def main(sweep: Sweep, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run the sweep, exit: 0, 1 if a trial failed, 2 on bad input, 130 after Ctrl-C."""
    run_and_exit(functools.partial(_main, sweep, arguments))


def _main(sweep: Sweep, arguments: Sequence[str] | None) -> int:
    flags = _parser(sweep).parse_args(arguments)
    sweep, where = override(sweep, flags), machines(flags)
    if flags.local and where != Machines():
        raise SweepError("--local runs trials in this process: leave --address, --workers and --gpus-per-trial out")
    similarity_limit()  # refused here, not by each worker
    bank, location = open_bank(sweep.bank, make=not flags.plan)
    planned = plan(sweep, bank)
    cells = _only(flags.only, planned)
    for words in left_out(sweep, bank):
        print(words)

    with at_work("loading MLflow"):
        from mgcl.sweep import reports, summary, tracking
        from mgcl.sweep.store import default_uri

    uri = flags.tracking_uri or default_uri()
    if flags.plan:
        _print_plan(cells, tracking.recorded_runs(sweep.name, uri), flags.workers or cpu_count())
        return 0
    report.prepare(sweep.name, Path(flags.out))
    with at_work("opening the record of runs"):
        store = tracking.Tracking.open(sweep.name, uri)
    print(f"runs:   {store.where_to_look()}")
    print(f"logs:   {home() / 'logs' / 'KEY.log'}" if not flags.local else "logs:   here", flush=True)
    retry_failed = flags.retry == "failed"
    run_missing(
        sweep.name,
        planned,
        bank,
        store,
        None if flags.local else where,
        location=location,
        retry_failed=retry_failed,
        only=flags.only,
    )
    runs = store.runs()
    _print_tables(cells, runs)
    code = _conclude(cells, runs)
    if runs:
        with at_work("bringing the rows on MLflow's page up to date"):
            summary.write(store, runs)
        keys = [cell.trial.key for cell in planned]
        root = None if sweep.bank else embedded_sounds(home())
        with at_work("writing the report"):
            folder = reports.draw(sweep.name, uri, Path(flags.out), planned=keys, bank=bank, root=root)
            store.keep([file for file in sorted(folder.iterdir()) if file.is_file()])
        print(f"report: {folder / 'index.html'}, {folder / 'report.md'}")
    return code


def _only(keys: Sequence[str] | None, cells: Sequence[Cell]) -> Sequence[Cell]:
    unknown = set(keys or ()) - {cell.trial.key for cell in cells}
    if unknown:
        raise SweepError(f"--only {', '.join(sorted(unknown))}: no such trial in this sweep; --plan lists their keys")
    return [cell for cell in cells if cell.trial.key in keys] if keys else cells


def _print_plan(cells: Sequence[Cell], runs: Sequence[TrialRun], workers: int) -> None:
    recorded = {run.key: run for run in runs}
    for cell in cells:
        trial, names = cell.trial, ", ".join(cell.variants)
        where = f"{trial.way}-way {trial.shot}-shot  fold {trial.fold.index}  seed {trial.seed}"
        print(f"{state(cell, recorded):8}{trial.key}  {where}  {names}")
    counts = count(cells, recorded)
    missing = [cell.trial for cell in cells if state(cell, recorded) == "missing"]
    seconds = [each for each in map(estimator([cell.trial for cell in cells], runs), missing) if each is not None]
    about = datetime.timedelta(seconds=round(max([sum(seconds) / workers, *seconds])))
    print(
        f"{len(cells)} trials: {counts['done']} done, {counts['missing']} missing, {counts['failed']} failed"
        + (f"; about {about} to go on {workers} workers" if seconds else "")
    )


def _print_tables(cells: Sequence[Cell], runs: Sequence[TrialRun]) -> None:
    """This sweep's own trials; the report has everything that the store has of it."""
    keys = {cell.trial.key for cell in cells}
    print()
    for table in tables.build([run for run in runs if run.key in keys], order=tuple(VARIANTS)):
        print(tables.markdown(table), end="\n\n")


def _conclude(cells: Sequence[Cell], runs: Sequence[TrialRun]) -> int:
    """Say how the sweep stands; its exit code."""
    counts = count(cells, {run.key: run for run in runs})
    print(f"{counts['done']} finished, {counts['failed']} failed, {counts['missing']} missing")
    if counts["missing"]:
        print("stopped early: the same command runs the rest", file=sys.stderr)
        return 130
    if counts["failed"]:
        print("some trials failed: see their `error` tag; `--retry failed` runs them again", file=sys.stderr)
    return 1 if counts["failed"] else 0


def _parser(sweep: Sweep) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=f"Run what is missing of the sweep {sweep.name!r}, record it in MLflow, and write its report.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    what = parser.add_argument_group("what to run")
    add_episode_flags(what, sweep)
    what.add_argument("--variants", nargs="+", metavar="NAME", default=sweep.variants, help=f"of {', '.join(VARIANTS)}")
    what.add_argument("--episodes", type=int, metavar="E", default=sweep.episodes, help="episodes a trial")
    what.add_argument(
        "--seed",
        dest="seeds",
        type=int,
        nargs="+",
        metavar="S",
        default=sweep.seeds,
        help="one or more; pooled",
    )
    what.add_argument(
        "--params", metavar="FILE", default=sweep.params, help="searched values: run them beside the rest"
    )
    what.add_argument("--plan", action="store_true", help="list done, missing and failed trials; run nothing")
    what.add_argument("--retry", choices=["failed"], help="run failed trials again")
    what.add_argument("--only", nargs="+", metavar="KEY", help="these trials of it alone")
    where = parser.add_argument_group("where")
    where.add_argument("--local", action="store_true", help="in this process, one by one, without Ray: for a debugger")
    add_machine_flags(where)
    return parser
