"""``mgcl index``: embed the windows of recordings once, for `mgcl find` and `mgcl label`."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.audio import CHANNELS
from mgcl.cli.clips import found_clips, openable
from mgcl.cli.commands import Commands, add_backbone, check_out, chosen_backbone
from mgcl.errors import MgclError, with_flags

if TYPE_CHECKING:
    from mgcl.backbones.backbone import Backbone
    from mgcl.classifier.index.header import Header


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    index = commands.add_parser(
        "index",
        help="embed the windows of recordings once, to search and label them",
        description="A stopped command goes on where it was. Given again, it adds new recordings, and embeds changed "
        "ones anew. A recording that cannot be decoded is named on stderr, the others are done, and the exit code is "
        "1.",
    )
    index.add_argument(
        "recordings", nargs="+", metavar="RECORDING", help="a file, a folder, a pattern, or - for paths on stdin"
    )
    index.add_argument("--out", type=Path, required=True, metavar="INDEX", help="folder to make, or to add to")
    add_backbone(index)
    index.add_argument("--weights", metavar="W", help="of the backbone: a path or an id")
    index.add_argument("--device", default="cpu", help="a torch device (default: cpu)")
    index.add_argument(
        "--window", type=float, metavar="S", help="seconds per window; at most the backbone's input (default: that)"
    )
    index.add_argument(
        "--hop", type=float, metavar="S", help="seconds from one window to the next (default: half of it)"
    )
    index.add_argument("--channels", choices=CHANNELS, help="what to take of several channels (default: average)")
    index.set_defaults(job=_index)


def _index(flags: argparse.Namespace) -> int:
    from mgcl.classifier.index.building import extended
    from mgcl.progress import Bar

    if flags.hop is not None and not 0 < flags.hop < math.inf:
        raise MgclError(f"--hop {flags.hop:g}: a number of seconds above 0")
    check_out(flags.out, folder=True)
    found, failed = found_clips(flags.recordings)
    paths = list({Path(each).absolute(): Path(each) for each in found}.values())
    header, backbone = _opened(flags)
    with extended(flags.out, header) as building:
        todo, seconds, faults = openable([path for path in paths if not (path.is_file() and building.has(path))])
        if done := len(paths) - len(todo) - len(faults):
            print(f"{done} of {len(paths)} recordings were done before", file=sys.stderr)
        for fault in faults:
            print(f"error: {with_flags(fault, flags.called)}", file=sys.stderr)
        total = round(seconds / header.hop) - sum(map(building.begun, todo))
        with Bar(desc="embedding", unit="window", total=max(1, total), disable=not todo) as bar:
            for _, error in building.embed(backbone, todo, watch=bar.update):
                if error is not None:
                    faults.append(error)
                    print(f"error: {with_flags(error, flags.called)}", file=sys.stderr, flush=True)
    _say(flags.out)
    return 1 if failed or faults else 0


def _opened(flags: argparse.Namespace) -> "tuple[Header, Backbone]":
    """The header of the index, existing or to be made, and its backbone.

    Raises:
        MgclError: a flag is out of range, or is not that of the existing index.
    """
    from mgcl.classifier.embedding import loaded_backbone
    from mgcl.classifier.given import LEAST_SECONDS
    from mgcl.classifier.index.header import HEADER, Header, read_header

    known = read_header(flags.out) if (flags.out / HEADER).exists() else None
    if known is None and flags.out.is_dir() and any(flags.out.iterdir()):
        raise MgclError(f"--out {flags.out}: holds something else than an index; name another folder")
    if flags.backbone is None and known is not None:
        name, weights = known.backbone, flags.weights or known.known_weights
    else:
        name, weights = chosen_backbone(flags), flags.weights
    backbone = loaded_backbone(name, weights, flags.device)
    window = flags.window
    if window is None:
        window = known.window if known else backbone.seconds
    if not LEAST_SECONDS <= window <= backbone.seconds:
        raise MgclError(
            f"--window {window:g}: a window has {LEAST_SECONDS:g} to {backbone.seconds:g} s, the backbone's input"
        )
    hop = flags.hop or (known.hop if known else window / 2)
    channels = flags.channels or (known.channels if known else "average")
    header = Header.of(name, weights, backbone, window=window, hop=hop, channels=channels)
    if known is not None:
        known.check_same(header, flags.out)
    return header, backbone


def _say(out: Path) -> None:
    from mgcl.classifier.index.index import Index

    index = Index.open(out)
    count, header = int(index.usable.sum()), index.header
    print(f"{out}: {count} windows of {len(index.progress)} recordings, {header.window:g} s every {header.hop:g} s")
