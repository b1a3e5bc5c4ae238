"""Command line of a search: run its studies, draw their results, and write the best values for sweeps."""

import argparse
import functools
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from joblib import cpu_count
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from mgcl.cluster.machines import Machines
from mgcl.errors import SearchError, flag_names, run_and_exit
from mgcl.home import similarity_limit
from mgcl.masking import masked
from mgcl.methods.variants import VARIANTS
from mgcl.progress import Bar, at_work
from mgcl.reporting.report import prepare
from mgcl.search import report
from mgcl.search.flags import add_points_flag
from mgcl.search.questions import Question, Search, common, questions, space_of
from mgcl.search.report import Finding
from mgcl.search.sampling import SAMPLERS
from mgcl.search.study import (
    ERROR,
    best,
    check_storage,
    default_point,
    default_storage,
    ended,
    figure_of,
    known_points,
    open_study,
)
from mgcl.sweep.chosen import Choice, Chosen, write_chosen
from mgcl.sweep.estimates import time_left
from mgcl.sweep.flags import (
    MACHINE_FLAGS,
    add_bank_flags,
    add_draw_flags,
    add_machine_flags,
    drawn,
    machines,
    open_banks,
    override,
    repeated,
)
from mgcl.tasks import Metric

if TYPE_CHECKING:
    from mgcl.search.export import Export


def main(*searches: Search, arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run a search, and exit with 0, 1 if a point failed, 2 on bad input, or 130 after Ctrl-C.

    Args:
        searches: searches of different tasks, of which ``--task`` chooses; the first is the default.
        arguments: words of the command line; None: those of the process.
    """
    by_task = {search.draws.task: search for search in searches}
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--task", choices=tuple(by_task), default=next(iter(by_task)), help="what is searched for")
    search = by_task[parser.parse_known_args(arguments)[0].task]
    full = _parser(search, parser)
    run_and_exit(functools.partial(_main, search, full, arguments), flag_names(full) | MACHINE_FLAGS)


def _main(search: Search, parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    flags = parser.parse_args(arguments)
    search, where = _override(search, flags), machines(flags)
    similarity_limit()  # a bad value is refused here once, not by every worker
    storage = flags.study or default_storage()
    check_storage(storage)
    banks = open_banks(search.banks, generated=search.task.GENERATED)
    if len(banks) > 1 and not search.shared:
        raise SearchError("`banks`: several banks share one study; add `shared`, or search each bank by itself")
    per_bank = [questions(search, bank) for bank in banks.values()]
    asked = [common(each) for each in zip(*per_bank, strict=True)]
    folder = prepare(f"{search.name}/{_slug(*asked[0].name.split('/')[1:4])}", Path(flags.out))
    locations = {bank.digest: location for location, bank in banks.items()}
    findings = _findings(search, asked, storage, locations, folder, where, flags)

    tests = {}
    for (location, bank), own in zip(banks.items(), per_bank, strict=True):
        header = bank.header
        params = folder / (
            "params.json" if len(banks) == 1 else f"{_slug('params', header.dataset, header.backbone)}.json"
        )
        choices = (replace(each.choice, tests=one.tests) for each, one in zip(findings, own, strict=True))
        write_chosen(params, Chosen(search.draws.task, bank.digest, search.variant, tuple(choices)))
        tests[params] = _test(search, flags, params, flags.banks if len(banks) == 1 else [location])
    page = folder / "report.md"
    page.write_text(report.page(search.name, findings, tests), encoding="utf-8")
    print(f"report: {page}")
    for params, test in tests.items():
        print(f"values: {params}\ntest:   {test}")
    return int(any(each.failed for each in findings))


def _findings(
    search: Search,
    asked: Sequence[Question],
    storage: str,
    banks: Mapping[str, str],
    folder: Path,
    where: Machines,
    flags: argparse.Namespace,
) -> list[Finding]:
    """Run the missing points of every study, and return one finding per study."""
    with at_work("loading Ray and MLflow"):
        from mgcl.cluster.connect import cluster
        from mgcl.search.export import Export
        from mgcl.search.schedule import run_points
        from mgcl.tracking.store import default_uri

    with at_work("opening the record of runs"):
        export = Export.open(search.name, flags.tracking_uri or default_uri(), asked[0].metric.name)
    print(f"runs:   {export.store.where_to_look()}\nstudy:  {masked(storage)}", flush=True)
    more = flags.points.startswith("+")
    wanted = {each.name: search.points + (known_points(each, storage) if more else 0) for each in asked}
    export.plan(wanted)
    findings = []
    with cluster(where, cpus=flags.workers or cpu_count(), dashboard=True) as there:
        for question in asked:
            with open_study(question, storage) as study, _bar(study, question, wanted[question.name]) as bar:
                take = _taking(study, question, export, bar)
                run_points(study, question, wanted[question.name], banks, there, on_point=take)
                export.show(question, ended(study))
                with at_work("drawing what was found"):
                    findings.append(_finding(study, question, folder))
    export.store.keep([file for finding in findings for file in finding.pictures])
    return findings


def _taking(study: Study, question: Question, export: "Export", bar: Bar) -> Callable[[FrozenTrial], None]:
    """Make the callback for points that end from now on: it shows them on the bar and exports them to MLflow."""
    since = datetime.now()

    def take(point: FrozenTrial) -> None:
        _show(point, question.metric, bar)
        bar.expect(_seconds_left(study, bar.total - bar.n, since), began=since.timestamp())
        export.try_to_show(question, point)

    return take


def _bar(study: Study, question: Question, points: int) -> Bar:
    return Bar(total=points, initial=len(ended(study)), desc=question.place, unit="point", estimated=True)


def _seconds_left(study: Study, left: int, since: datetime) -> float | None:
    """Estimate the seconds until ``left`` more points end; None if none has ended yet since ``since`` (local time)."""
    now = datetime.now()
    points = [(each.datetime_start, each.datetime_complete) for each in study.get_trials(deepcopy=False)]
    begun = [(start, end) for start, end in points if start and start >= since]
    took = [(end - start).total_seconds() for start, end in begun if end]
    if not took:
        return None
    usual = sum(took) / len(took)
    under_way = [((now - start).total_seconds(), usual) for start, end in begun if not end]
    elapsed = (now - min(start for start, _ in begun)).total_seconds()
    return time_left(sum(took), under_way, [usual] * (left - len(under_way)), elapsed=elapsed)


def _show(point: FrozenTrial, metric: Metric, bar: Bar) -> None:
    if ERROR in point.user_attrs:
        bar.write(f"failed: point {point.number} {point.params}: {point.user_attrs[ERROR]}", file=sys.stderr)
    elif point.state == TrialState.COMPLETE and point.value is not None:
        bar.set_postfix_str(f"last {metric.text(point.value)} {metric.symbol}".strip(), refresh=False)
    bar.update()


def _finding(study: Study, question: Question, folder: Path) -> Finding:
    from mgcl.search import pictures  # loads scikit-learn and matplotlib

    points, found, own = ended(study), best(study), default_point(study, question)
    failed = sum(ERROR in point.user_attrs for point in points)
    stopped = sum(point.state == TrialState.PRUNED for point in points) - failed
    return Finding(
        question,
        Choice(question.tests, question.apart, question.typed(found.params), figure_of(found), len(points)),
        figure_of(own) if own else None,
        stopped,
        failed,
        pictures.importances(study),
        pictures.draw(study, folder, _slug(question.place)),
    )


def _test(search: Search, flags: argparse.Namespace, params: Path, banks: Sequence[str]) -> str:
    """Command of the sweep that tests the best values on the search's draws; the tests come from the file of values."""
    flags = argparse.Namespace(**vars(flags) | {"banks": banks})
    shared = repeated(flags, drawn(search.draws, flags), but=search.task.BATCHES)
    return shlex.join(["mgcl", "sweep", search.sweep, "--params", str(params), "--variants", search.variant, *shared])


def _slug(*words: str) -> str:
    return re.sub(r"[^\w.]+", "-", "-".join(words))


def _override(search: Search, flags: argparse.Namespace) -> Search:
    if not re.fullmatch(r"\+?[1-9]\d*", flags.points):
        raise SearchError(f"--points {flags.points}: give the number of points, or +N for N more")
    search = override(search, argparse.Namespace(**vars(flags) | {"points": int(flags.points)}))
    known = {**search.more, **search.space, **({} if flags.search else space_of(search))}
    names = flags.search or list(space_of(search))
    ends = {name: (low, high) for name, low, high in flags.range}
    if unknown := [name for name in [*names, *ends] if name not in known]:
        raise SearchError(f"{', '.join(unknown)}: not searched; choose of {', '.join(known)}")
    space = {name: known[name] for name in dict.fromkeys([*names, *ends])}
    for name, (low, high) in ends.items():
        try:
            space[name] = replace(space[name], low=float(low), high=float(high))
        except ValueError:
            raise SearchError(f"--range {name} {low} {high}: give two numbers") from None
        except SearchError as error:
            raise SearchError(f"--range {name}: {error}") from None
    return replace(search, space=space)


def _parser(search: Search, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Search parameters on clips that are not tested, and hand the best values to a sweep "
        f"(`mgcl sweep {search.sweep} --params FILE`). Stopped, the same command goes on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        parents=parents,
    )
    what = parser.add_argument_group("what to search")
    what.add_argument(
        "--search",
        nargs="+",
        metavar="NAME",
        help=f"parameters, of {', '.join([*search.space, *search.more])} (without: {', '.join(search.space)}, as "
        "far as the variant has them and is not about them)",
    )
    what.add_argument(
        "--range", nargs=3, action="append", default=[], metavar=("NAME", "LOW", "HIGH"), help="where; may be repeated"
    )
    what.add_argument("--variant", metavar="NAME", default=search.variant, help=f"of {', '.join(VARIANTS)}")
    add_points_flag(what, default=str(search.points), help="points each study should have, or +N: so many more")
    what.add_argument("--sampler", choices=tuple(SAMPLERS), default=search.sampler, help="how points are proposed")
    what.add_argument("--seed", type=int, metavar="S", default=search.seed, help="of the sampler")
    task = search.task
    tests, apart = (getattr(task, name, "") for name in ("TESTS", "APART"))
    what.add_argument(
        "--shared", action="store_true", default=search.shared, help=f"one study for all {tests}, and for all banks"
    )
    if apart:
        what.add_argument(
            f"--per-{apart}", dest="apart", action="store_true", default=search.apart, help=f"a study for each {apart}"
        )
    what.add_argument(
        "--no-stopping",
        dest="stopping",
        action="store_false",
        default=search.stopping,
        help="run bad points to their end too",
    )
    batch = parser.add_argument_group("what a batch draws, of what is not tested")
    add_bank_flags(batch, search, task.GENERATED)
    add_draw_flags(batch, search.draws, but=("seeds",))
    batch.add_argument(
        "--batches", type=int, metavar="B", default=search.batches, help="a point's value is the mean over all of them"
    )
    where = parser.add_argument_group("where")
    where.add_argument("--study", metavar="URL", help="Optuna's database (default: sqlite, $MGCL_HOME/studies.db)")
    add_machine_flags(where)
    return parser
