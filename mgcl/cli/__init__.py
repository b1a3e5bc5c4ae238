"""The ``mgcl`` command: arguments, exit codes and output, and nothing else. One file per subcommand."""

import argparse
import functools
import sys
from collections.abc import Sequence
from typing import NoReturn

from mgcl import __version__
from mgcl.cli import (
    bank,
    caption,
    data,
    demo,
    detect,
    evaluate,
    explain,
    extract,
    find,
    fit,
    index,
    label,
    live,
    model,
    predict,
    pretrain,
    report,
    similarities,
    status,
    sweep,
    sync,
    ui,
    weights,
)
from mgcl.errors import flag_names, run_and_exit

_COMMANDS = (
    fit, predict, detect, live, index, find, label, evaluate, model, demo, weights, data, caption, explain, extract,
    bank, similarities, sweep, report, status, ui, sync, pretrain,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its exit code, or with code 2 and one line on stderr on bad input."""
    parser = argparse.ArgumentParser(prog="mgcl", description="Few-shot sound recognition on frozen features.")
    parser.add_argument("--version", action="version", version=f"mgcl {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command in _COMMANDS:
        command.add(commands)
    flags, unknown = parser.parse_known_args(arguments)
    if unknown:  # argparse would print the usage of `mgcl`, which lists none of the command's flags
        commands.choices[flags.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    flags.typed = sys.argv[1:] if arguments is None else [*arguments]
    flags.called = flag_names(commands.choices[flags.command]) | getattr(flags, "called", {})
    run_and_exit(functools.partial(flags.job, flags), flags.called, command=f"mgcl {flags.command}")
