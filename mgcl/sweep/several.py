"""Command line of a sweep file with a sweep per task: every task runs on the banks that have what it reads."""

import argparse
import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from mgcl.errors import SweepError, flag_names, run_and_exit, with_flags
from mgcl.features import FeatureBank
from mgcl.sweep.command import add_run_flags, check, swept
from mgcl.sweep.flags import MACHINE_FLAGS, add_bank_flags, add_draw_flags, open_banks, override
from mgcl.sweep.grid import Sweep, plan


def main_of(sweeps: Sequence[Sweep], arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the flags, run the sweeps one after another, and exit with the largest code of ``mgcl.sweep.main``.

    Args:
        sweeps: sweeps of different tasks, whose ``Draws`` share no field.
        arguments: words of the command line; None: those of this process.
    """
    run_and_exit(functools.partial(_main, sweeps, arguments), _called(sweeps))


def _called(sweeps: Sequence[Sweep]) -> dict[str, str]:
    """Parameter -> flag that sets it."""
    return flag_names(_parser(sweeps)) | MACHINE_FLAGS


def _main(sweeps: Sequence[Sweep], arguments: Sequence[str] | None) -> int:
    flags = _parser(sweeps).parse_args(arguments)
    check(flags)
    asked = [chosen for each in sweeps if (chosen := _chosen(each, flags))]
    opened = open_banks(flags.banks) if flags.banks else {}
    todo: list[tuple[Sweep, Mapping[str, FeatureBank]]] = []
    for sweep in asked:
        fitting = {where: bank for where, bank in opened.items() if not bank.lacks(sweep.task.READS)}
        if flags.banks and not fitting:
            print(f"{sweep.name}: left out: no bank has {', '.join(sweep.task.READS)}", flush=True)
            continue
        banks = fitting or open_banks((), make=not flags.plan, generated=sweep.task.GENERATED)
        for bank in banks.values():
            plan(sweep, bank)  # what is wrong with a later sweep is told before the first one runs
        todo.append((sweep, banks))
    if not todo:
        raise SweepError(
            with_flags("`tasks`, `variants`, `banks`: nothing is left to run; name others", _called(sweeps))
        )
    return max(swept(sweep, flags, banks) for sweep, banks in todo)


def _chosen(sweep: Sweep, flags: argparse.Namespace) -> Sweep | None:
    """The sweep with the values of the flags; None: it is not asked for, or has none of the asked rows."""
    if flags.tasks and sweep.draws.task not in flags.tasks:
        return None
    rows = tuple(each for each in sweep.variants if not flags.rows or each in flags.rows)
    if not rows:
        return None
    reference = sweep.reference if sweep.reference in rows else rows[0]
    return replace(override(sweep, flags), variants=rows, reference=reference)


def _parser(sweeps: Sequence[Sweep]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=f"Run what is missing of {', '.join(each.name for each in sweeps)}, one sweep per task, on the "
        "banks that have what the task reads; record them in MLflow, and write a report of each.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    what = parser.add_argument_group("what to run")
    tasks = [each.draws.task for each in sweeps]
    what.add_argument("--tasks", nargs="+", choices=tasks, help="these tasks alone")
    add_bank_flags(what, sweeps[0], "ones, one per task")
    for each in sweeps:
        add_draw_flags(parser.add_argument_group(f"of {each.draws.task}"), each.draws)
    rows = dict.fromkeys(row for each in sweeps for row in each.variants)
    what.add_argument("--variants", dest="rows", nargs="+", choices=tuple(rows), metavar="NAME", help=", ".join(rows))
    parser.set_defaults(only=None)
    add_run_flags(parser, what)
    return parser
