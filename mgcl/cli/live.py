"""``mgcl live``: recognise what a microphone records, window by window."""

import argparse
import sys
from contextlib import suppress

from mgcl.cli.commands import Commands, add_model, open_model
from mgcl.cli.predict import certainty, named
from mgcl.errors import MgclError


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    live = commands.add_parser(
        "live",
        help="recognise what the microphone records",
        description="One line per window: the seconds since the start, label and probability. Ctrl-C ends it. Nothing "
        "is stored.",
    )
    add_model(live)
    live.add_argument("--every", type=float, default=1.0, metavar="S", help="seconds between windows (default: 1)")
    live.add_argument(
        "--window",
        type=float,
        metavar="S",
        help="length of a window; shorter than the backbone's input, it is looped (default: the backbone's input)",
    )
    live.add_argument(
        "--microphone", metavar="D", help="number or part of the name of an input (default: the system's)"
    )
    live.set_defaults(job=_live)


def _live(flags: argparse.Namespace) -> int:
    from mgcl.classifier.microphone import microphone

    classifier = open_model(flags)
    if classifier.model_.own_captions:
        raise MgclError(f"{flags.model}: was fitted with captions of your own, which a microphone has not")
    blocks = microphone(classifier.sample_rate_, flags.microphone, warn=_warn)
    with suppress(KeyboardInterrupt):
        for answer in classifier.live(blocks, every=flags.every, length=flags.window):
            label = "silence" if answer.silent else named(answer)
            print(f"{answer.stop:.1f}\t{label}\t{'-' if answer.silent else certainty(answer, 3)}", flush=True)
    return 0


def _warn(lost: int) -> None:
    print(f"warning: {lost} blocks of sound were lost: this machine is too slow; raise --every", file=sys.stderr)
