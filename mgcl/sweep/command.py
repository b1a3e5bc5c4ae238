"""Command line of a sweep file: plan, run missing trials, report."""

import argparse
import datetime
import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from joblib import cpu_count

from mgcl.catalogue import load
from mgcl.cluster.machines import Machines
from mgcl.errors import SweepError, flag_names, run_and_exit, with_flags
from mgcl.extraction.generated import sounds_of
from mgcl.extras import missing as not_installed
from mgcl.features import FeatureBank
from mgcl.home import home, similarity_limit
from mgcl.methods.resolved import resolve
from mgcl.methods.variants import GROUPS, VARIANTS
from mgcl.progress import at_work
from mgcl.records import PlannedTrial, Trial, TrialRun
from mgcl.reporting import blocks, printing, report, tables
from mgcl.sweep import prices
from mgcl.sweep.driver import Todo, count, missing, run, state
from mgcl.sweep.estimates import estimator
from mgcl.sweep.flags import (
    MACHINE_FLAGS,
    add_bank_flags,
    add_draw_flags,
    add_machine_flags,
    machines,
    open_banks,
    override,
)
from mgcl.sweep.grid import Sweep, left_out, plan
from mgcl.tasks import Task

if TYPE_CHECKING:
    from mgcl.tracking.record import Tracking


def main(sweep: Sweep, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run the sweep, and exit with 0, 1 if a trial failed, 2 on bad input, or 130 after Ctrl-C."""
    run_and_exit(functools.partial(_main, sweep, arguments), _called(sweep))


def _called(sweep: Sweep) -> dict[str, str]:
    """Parameter -> flag that sets it."""
    return flag_names(_parser(sweep)) | MACHINE_FLAGS


def _main(sweep: Sweep, arguments: Sequence[str] | None) -> int:
    flags = _parser(sweep).parse_args(arguments)
    check(flags)
    sweep = override(sweep, flags)
    for name in sweep.variants:
        resolve(name)  # a misspelt row is refused before data are generated
    if sweep.settings:
        sweep = replace(sweep, name=f"{sweep.name}-{sweep.settings}")  # a record and a report of its own
    return swept(sweep, flags, open_banks(sweep.banks, make=not flags.plan, generated=sweep.task.GENERATED))


def check(flags: argparse.Namespace) -> None:
    """Refuse flags of the machines that contradict each other, and an installation that cannot run a sweep.

    Raises:
        SweepError: a library is missing, or two flags contradict each other.
    """
    if lacking := not_installed("mlflow", "ray"):
        raise SweepError(f"a sweep needs {lacking}")
    if flags.local and machines(flags) != Machines():
        raise SweepError("--local runs trials in this process: leave --address, --workers and --gpus-per-trial out")
    if flags.prices and not flags.plan:
        raise SweepError("--prices says what a sweep would cost, before it runs: give --plan too")
    if flags.prices:
        prices.rented(flags.prices)  # a file without prices is refused before anything is planned
    similarity_limit()  # a bad value is refused here once, not by every worker


def swept(sweep: Sweep, flags: argparse.Namespace, banks: Mapping[str, FeatureBank]) -> int:
    """Run what is missing of a sweep on opened banks, and write its report.

    Args:
        sweep: the sweep with the flags' values.
        flags: parsed flags: plan, only, retry, local, tracking_uri, out, and those of the machines.
        banks: location of each bank -> the opened bank.

    Returns:
        The exit code: 0, 1 if a trial failed, or 130 if trials are missing.
    """
    where = machines(flags)
    planned = [each for bank in banks.values() for each in plan(sweep, bank)]
    chosen = _only(flags.only, planned)
    for words in dict.fromkeys(words for bank in banks.values() for words in left_out(sweep, bank)):
        print(with_flags(words, _called(sweep)))

    with at_work("loading MLflow"):
        from mgcl.sweep import reports
        from mgcl.tracking import rows
        from mgcl.tracking.record import Tracking, recorded_runs
        from mgcl.tracking.store import default_uri

    uri = flags.tracking_uri or default_uri()
    if flags.plan:
        left = _print_plan(chosen, recorded_runs(sweep.name, uri), flags.workers or cpu_count())
        if flags.prices:
            print(_price(prices.rented(flags.prices), left, where))
        return 0
    report.prepare(sweep.name, Path(flags.out))
    with at_work("opening the record of runs"):
        store = Tracking.open(sweep.name, uri, columns=_shown(sweep))
        store.name_comparisons(sweep.reference, sweep.baselines)
    print(f"runs:   {store.where_to_look()}")
    print(f"logs:   {home() / 'logs' / 'KEY.log'}" if not flags.local else "logs:   here", flush=True)
    runs = _named_rows(store, planned)
    todo = missing(planned, runs, retry_failed=flags.retry == "failed", only=flags.only)
    if todo.trials:
        _announce(sweep.name, todo, store)
        run(todo, banks, store, None if flags.local else where)
        runs = store.runs()
    else:
        print(f"{sweep.name}: nothing to run, all {len(chosen)} trials are recorded")
    _print_tables(chosen, runs)
    code = _conclude(chosen, runs)
    if runs:
        with at_work("bringing the rows on MLflow's page up to date"):
            rows.write(store, runs)
        keys = [each.trial.key for each in planned]
        sounds = None if sweep.banks else sounds_of(sweep.task.GENERATED, home())
        roots = {bank.digest: sounds for bank in banks.values() if sounds}
        with at_work("writing the report"):
            folder = reports.draw(
                sweep.name, uri, Path(flags.out), runs=runs, planned=keys, banks=tuple(banks.values()), roots=roots
            )
            store.keep([file for file in sorted(folder.iterdir()) if file.is_file()])
        print(f"report: {folder / 'index.html'}, {folder / 'report.md'}")
    return code


def _shown(sweep: Sweep) -> list[str]:
    """Columns that MLflow's page shows of trials until the table rows are written."""
    metrics = [f"metrics.`{metric.name}`" for metric in sweep.task.METRICS]
    return [*metrics, *(f"params.`{name}`" for name in sweep.task.COLUMNS)]


def _named_rows(store: "Tracking", planned: Sequence[PlannedTrial]) -> tuple[TrialRun, ...]:
    """Return the recorded trials, after naming in them the planned rows that they belong to as well."""
    runs = store.runs()
    recorded, named = {run.key: run for run in runs}, False
    for each in planned:
        found = recorded.get(each.trial.key)
        if found and not set(each.variants) <= set(found.variants):
            store.name_rows(found, each)
            named = True
    return store.runs() if named else runs


def _announce(name: str, todo: Todo, store: "Tracking") -> None:
    other = store.last_progress()
    if other and other.at_work:
        print(f"a driver on {other.host} was at work a moment ago: if it still is, trials run twice, and count once")
    recorded = {run.key for run in todo.runs} - {trial.key for trial in todo.trials}
    known = sum(each.trial.key in recorded for each in todo.planned)
    print(f"{name}: {len(todo.planned)} trials, {known} recorded, {len(todo.trials)} to run", flush=True)


def _only(keys: Sequence[str] | None, planned: Sequence[PlannedTrial]) -> Sequence[PlannedTrial]:
    unknown = set(keys or ()) - {each.trial.key for each in planned}
    if unknown:
        raise SweepError(f"--only {', '.join(sorted(unknown))}: no such trial in this sweep; --plan lists their keys")
    return [each for each in planned if each.trial.key in keys] if keys else planned


def _print_plan(planned: Sequence[PlannedTrial], runs: Sequence[TrialRun], workers: int) -> list[float | None]:
    """Print the plan; return the expected seconds of each missing trial, None where they are not known."""
    recorded = {run.key: run for run in runs}
    for each in planned:
        print(f"{state(each, recorded):8}{each.trial.key}  {_place(each.trial)}  {', '.join(each.variants)}")
    counts = count(planned, recorded)
    left = [each.trial for each in planned if state(each, recorded) == "missing"]
    expected = [*map(estimator([each.trial for each in planned], runs), left)]
    seconds = [each for each in expected if each is not None]
    about = datetime.timedelta(seconds=round(max([sum(seconds) / workers, *seconds])))
    print(
        f"{len(planned)} trials: {counts['done']} done, {counts['missing']} missing, {counts['failed']} failed"
        + (f"; about {about} to go on {workers} workers" if seconds else "")
    )
    return expected


def _price(machines: prices.Rented, expected: Sequence[float | None], where: Machines) -> str:
    """What the missing trials would cost on rented machines, in words."""
    seconds = [each for each in expected if each is not None]
    if not expected:
        return "no trial is missing: nothing to pay for"
    if len(seconds) < len(expected):
        return "no price: nothing is known of how long these trials take; run one of them first (--only KEY)"
    share = 1.0 if where.gpus_per_actor is None else where.gpus_per_actor
    return prices.estimate(machines, seconds, workers=where.actors or len(seconds), share=share)


def _place(trial: Trial) -> str:
    task: Task = load("task", trial.task)
    place = task.place(trial.cell)
    column = task.column_name([place[name] for name in task.COLUMNS])
    return "  ".join([column, *(f"{name} {place[name]}" for name in task.POOLED)])


def _print_tables(planned: Sequence[PlannedTrial], runs: Sequence[TrialRun]) -> None:
    """Print tables of the planned trials only; the report covers everything that the store has of the sweep."""
    keys = {each.trial.key for each in planned}
    print()
    own = [each for each in runs if each.key in keys]
    for table in tables.build(own, order=tuple(VARIANTS), groups=GROUPS):
        print(blocks.markdown(printing.blocks(table)), end="\n\n")


def _conclude(planned: Sequence[PlannedTrial], runs: Sequence[TrialRun]) -> int:
    """Print the counts of finished, failed and missing trials, and return the exit code."""
    counts = count(planned, {run.key: run for run in runs})
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
    add_bank_flags(what, sweep, sweep.task.GENERATED)
    add_draw_flags(what, sweep.draws)
    what.add_argument("--variants", nargs="+", metavar="NAME", default=sweep.variants, help=f"of {', '.join(VARIANTS)}")
    what.add_argument(
        "--params", nargs="+", metavar="FILE", default=sweep.params, help="searched values: run them beside the rest"
    )
    what.add_argument("--only", nargs="+", metavar="KEY", help="these trials of it alone")
    if settings := getattr(sweep.task, "SETTINGS", {}):
        help_ = "values for the bank's data set and each column, instead of the methods' own; a report of its own"
        what.add_argument("--settings", choices=tuple(settings), default=sweep.settings, help=help_)
    add_run_flags(parser, what)
    return parser


def add_run_flags(parser: argparse.ArgumentParser, what: Any) -> None:
    """Add the flags that say whether and where trials run, ``what`` being the group of what to run."""
    what.add_argument("--plan", action="store_true", help="list done, missing and failed trials; run nothing")
    what.add_argument("--retry", choices=["failed"], help="run failed trials again")
    what.add_argument(
        "--prices", metavar="FILE", type=Path, help="with --plan: a cluster file, for the estimated price"
    )
    where = parser.add_argument_group("where")
    where.add_argument("--local", action="store_true", help="in this process, one by one, without Ray: for a debugger")
    add_machine_flags(where)
