"""The command line of a sweep file: plan, run what is missing, record, report."""

import argparse
import functools
import os
import sys
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mgcl.errors import SweepError, TrackingError, run_and_exit
from mgcl.features import FeatureBank
from mgcl.records import TrialFailure, TrialRun
from mgcl.reporting import tables
from mgcl.sweep.grid import Cell, Sweep, plan, setting_of
from mgcl.sweep.provenance import source_revision
from mgcl.sweep.variants import VARIANTS

if TYPE_CHECKING:
    from mgcl.sweep.schedule import Outcome
    from mgcl.sweep.tracking import Tracking


@dataclass(frozen=True)
class Machines:
    """Where trials run."""

    address: str | None
    workers: int | None
    gpus_per_trial: float | None


def main(sweep: Sweep, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run the sweep, exit: 0, 1 if a trial failed, 2 on bad input, 130 after Ctrl-C."""
    run_and_exit(functools.partial(_main, sweep, arguments))


def _main(sweep: Sweep, arguments: Sequence[str] | None) -> int:
    flags = _parser(sweep).parse_args(arguments)
    sweep = _override(sweep, flags)
    machines = Machines(flags.address, flags.workers, flags.gpus_per_trial)
    _check_machines(machines)
    if sweep.bank is None:
        raise SweepError(
            "no feature bank: name one with --bank DIR, or make one first: `mgcl bank import` from your own arrays, "
            "or `python tests/generated_bank.py DIR` in a clone for a generated one"
        )
    bank = FeatureBank.open(sweep.bank)
    cells = plan(sweep, bank)

    from mgcl.sweep import tracking

    uri = flags.tracking_uri or tracking.default_uri()
    if flags.plan:
        _print_plan(cells, tracking.recorded_runs(sweep.name, uri))
        return 0
    return _run(sweep, bank, cells, tracking.Tracking.open(sweep.name, uri), machines, flags)


def _override(sweep: Sweep, flags: argparse.Namespace) -> Sweep:
    """Every field but the name has a flag, whose default is the field."""
    chosen: dict[str, Any] = {}
    for each in fields(sweep):
        if each.name != "name":
            value = getattr(flags, each.name)
            chosen[each.name] = tuple(value) if isinstance(value, list) else value
    return replace(sweep, **chosen)


def _run(
    sweep: Sweep,
    bank: FeatureBank,
    cells: Sequence[Cell],
    store: "Tracking",
    machines: Machines,
    flags: argparse.Namespace,
) -> int:
    recorded = {run.key: run for run in store.runs()}
    todo = [cell for cell in cells if _missing(cell, recorded, flags.retry)]
    for cell in cells:
        run = recorded.get(cell.trial.key)
        if run and not set(cell.variants) <= set(run.variants):
            store.name_variants(run, cell.variants)
    driver = _Driver(store, bank.header.backbone, {cell.trial.key: cell for cell in todo})
    if todo:
        print(f"{sweep.name}: {len(cells)} trials, {len(cells) - len(todo)} recorded, {len(todo)} to run")
        _schedule(bank, todo, driver, machines, total=len(cells))
    else:
        print(f"{sweep.name}: nothing to run, all {len(cells)} trials are recorded")
    return _finish(sweep, bank, cells, store, Path(flags.out))


def _schedule(bank: FeatureBank, todo: Sequence[Cell], driver: "_Driver", machines: Machines, total: int) -> None:
    from tqdm import tqdm

    from mgcl.sweep import schedule

    workers = machines.workers or (None if machines.address else len(os.sched_getaffinity(0)))
    with schedule.cluster(machines.address, workers or 1) as gpus:
        share = (1.0 if machines.gpus_per_trial is None else machines.gpus_per_trial) if gpus else 0.0
        if machines.gpus_per_trial and not gpus:
            print("the cluster has no GPU: trials run on CPUs")
        with tqdm(total=total, initial=total - len(todo), unit="trial", smoothing=0) as driver.bar:
            schedule.run_trials([cell.trial for cell in todo], bank.path, driver, workers=workers, gpus_per_trial=share)
    driver.flush(last=True)


class _Driver:
    """Takes outcomes as they come: progress, and the record. While the store does not answer, they wait here."""

    def __init__(self, store: "Tracking", backbone: str, cells: Mapping[str, Cell]) -> None:
        self.bar: Any = None
        self._store, self._backbone, self._cells = store, backbone, cells
        self._tags = source_revision()
        self._waiting: list[Outcome] = []
        self._failed = 0
        self._latest: deque[str] = deque(maxlen=2)

    def __call__(self, outcome: "Outcome") -> None:
        self._waiting.append(outcome)
        self.flush()
        trial = self._cells[outcome.key].trial
        name = f"{self._cells[outcome.key].variants[0]} {trial.way}w{trial.shot}s"
        if isinstance(outcome, TrialFailure):
            self._failed += 1
            self.bar.write(f"failed: {name} (trial {outcome.key}): {outcome.error}", file=sys.stderr)
        else:
            self._latest.append(f"{name} {100 * outcome.accuracy:.1f} %")
        self.bar.set_postfix_str(f"failed {self._failed}, last " + ", ".join(self._latest), refresh=False)
        self.bar.update()

    def flush(self, *, last: bool = False) -> None:
        """Record what waits; what the store does not take now waits for the next outcome.

        Raises:
            TrackingError: it does not take it even now that nothing more will come.
        """
        from mlflow.exceptions import MlflowException

        while self._waiting:
            outcome = self._waiting[0]
            try:
                self._store.record(self._cells[outcome.key], outcome, self._backbone, self._tags)
            except MlflowException as error:
                if not last:
                    return
                raise TrackingError(
                    f"{self._store.uri}: does not answer ({error}); {len(self._waiting)} results are not recorded: "
                    "start the sweep again when it does"
                ) from None
            self._waiting.pop(0)


def _finish(sweep: Sweep, bank: FeatureBank, cells: Sequence[Cell], store: "Tracking", out: Path) -> int:
    runs = store.runs()
    recorded = {run.key: run for run in runs}
    settings = {setting_of(cell.trial, bank.header.backbone) for cell in cells}
    print()
    for table in tables.build([run for run in runs if run.setting in settings], order=tuple(VARIANTS)):
        print(tables.markdown(table), end="\n\n")
    folder = tables.write(sweep.name, tables.build(runs, order=tuple(VARIANTS)), out)
    counts = _count(cells, recorded)
    print(f"{counts['done']} finished, {counts['failed']} failed, {counts['missing']} missing")
    print(f"report: {folder / 'report.md'}")
    print(f"runs:   mlflow ui --backend-store-uri {store.uri}   (experiment {sweep.name!r}, Runs)")
    if counts["missing"]:
        print("stopped early: the same command runs the rest", file=sys.stderr)
        return 130
    if counts["failed"]:
        print("some trials failed: see their `error` tag; `--retry failed` runs them again", file=sys.stderr)
    return 1 if counts["failed"] else 0


def _missing(cell: Cell, recorded: Mapping[str, TrialRun], retry: str | None) -> bool:
    run = recorded.get(cell.trial.key)
    return run is None or (run.status == "FAILED" and retry == "failed")


def _count(cells: Sequence[Cell], recorded: Mapping[str, TrialRun]) -> Counter[str]:
    return Counter(_state(cell, recorded) for cell in cells)


def _state(cell: Cell, recorded: Mapping[str, TrialRun]) -> str:
    run = recorded.get(cell.trial.key)
    return "missing" if run is None else "done" if run.status == "FINISHED" else "failed"


def _print_plan(cells: Sequence[Cell], runs: Sequence[TrialRun]) -> None:
    recorded = {run.key: run for run in runs}
    for cell in cells:
        trial, names = cell.trial, ", ".join(cell.variants)
        cell_name = f"{trial.way}-way {trial.shot}-shot  fold {trial.fold.index}  seed {trial.seed}"
        print(f"{_state(cell, recorded):8}{trial.key}  {cell_name}  {names}")
    counts = _count(cells, recorded)
    print(f"{len(cells)} trials: {counts['done']} done, {counts['missing']} missing, {counts['failed']} failed")


def _check_machines(machines: Machines) -> None:
    if machines.workers is not None and machines.workers < 1:
        raise SweepError(f"--workers {machines.workers}: at least 1")
    if machines.gpus_per_trial is not None and not 0 <= machines.gpus_per_trial < float("inf"):
        raise SweepError(f"--gpus-per-trial {machines.gpus_per_trial}: 0 or more; fractions share a GPU")
    if (machines.gpus_per_trial or 0) > 1 and machines.gpus_per_trial != int(machines.gpus_per_trial or 0):
        raise SweepError(f"--gpus-per-trial {machines.gpus_per_trial}: above 1 only whole GPUs can be given")


def _parser(sweep: Sweep) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=f"Run what is missing of the sweep {sweep.name!r}, record it in MLflow, and write its report.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    what = parser.add_argument_group("what to run")
    what.add_argument("--bank", metavar="DIR", default=sweep.bank, help="feature bank")
    what.add_argument("--ways", type=int, nargs="+", metavar="N", default=sweep.ways, help="classes an episode")
    what.add_argument("--shots", type=int, nargs="+", metavar="K", default=sweep.shots, help="support clips a class")
    what.add_argument("--variants", nargs="+", metavar="NAME", default=sweep.variants, help=f"of {', '.join(VARIANTS)}")
    what.add_argument("--episodes", type=int, metavar="E", default=sweep.episodes, help="episodes a trial")
    what.add_argument("--queries", type=int, metavar="Q", default=sweep.queries, help="query clips a class")
    what.add_argument(
        "--seed",
        dest="seeds",
        type=int,
        nargs="+",
        metavar="S",
        default=sweep.seeds,
        help="one or more; pooled",
    )
    what.add_argument("--split", default=sweep.split, help="clip, or source: no recording on both sides")
    what.add_argument("--folds", type=int, metavar="N", default=sweep.folds, help="seeded class subsets to draw")
    what.add_argument(
        "--fold-classes", type=int, metavar="M", default=sweep.fold_classes, help="classes in each of them"
    )
    what.add_argument("--plan", action="store_true", help="list done, missing and failed trials; run nothing")
    what.add_argument("--retry", choices=["failed"], help="run failed trials again")
    where = parser.add_argument_group("where")
    where.add_argument("--workers", type=int, metavar="W", help="trials at once (default: every CPU)")
    where.add_argument(
        "--gpus-per-trial",
        type=float,
        metavar="G",
        help="share of a GPU, fractions allowed (default: 1, or 0 where there is none)",
    )
    where.add_argument("--address", help="a running Ray cluster: auto or host:port (default: start one here)")
    where.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    where.add_argument("--out", metavar="DIR", default="reports", help="where the report's folder goes")
    return parser
