"""``mgcl find``: search an index of recordings by a clip or by a sentence."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.commands import Commands, check_out
from mgcl.errors import MgclError, with_flags

if TYPE_CHECKING:
    from mgcl.classifier.index.header import Header
    from mgcl.classifier.index.index import Index
    from mgcl.classifier.index.search import Hit, Query

_PAGE = 200


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    find = commands.add_parser(
        "find",
        help="search an index of recordings by a clip or by a sentence",
        description="One line per window, the best first: recording, start and end of the window, start and end of "
        "what matched, score, cosine of the whole window, similarity of the segments; the score is the mean of both.",
    )
    find.add_argument("index", type=Path, metavar="INDEX", help="folder that `mgcl index` wrote")
    asked = find.add_mutually_exclusive_group(required=True)
    asked.add_argument("--like", type=Path, metavar="CLIP", help="find what is like this clip")
    asked.add_argument("--text", metavar="SENTENCE", help='find what this describes, e.g. "a dripping tap"')
    find.add_argument("--top", type=int, default=50, metavar="N", help="windows to find (default: 50)")
    find.add_argument("--json", action="store_true", help="one json object per line (default: csv)")
    find.add_argument("--page", type=Path, metavar="HTML", help="write a page with players, too")
    find.add_argument("--weights", metavar="W", help="of the index's backbone, if they lie elsewhere now")
    find.add_argument("--device", default="cpu", help="a torch device (default: cpu)")
    find.set_defaults(job=_find)


def _find(flags: argparse.Namespace) -> int:
    from mgcl.classifier.index.index import Index
    from mgcl.classifier.index.search import MOST, find

    most = _PAGE if flags.page else MOST
    if not 1 <= flags.top <= most:
        raise MgclError(
            f"--top {flags.top}: a number of windows from 1 to {most}{', as a page holds' * bool(flags.page)}"
        )
    if flags.page:
        check_out(flags.page, folder=False)
    index = Index.open(flags.index)
    index.check_any()
    hits = find(index, _query(flags, index), top=flags.top)
    if flags.json:
        for hit in hits:
            print(json.dumps(asdict(hit), ensure_ascii=False))
    else:
        _print_csv(hits)
    return _write_page(flags, hits, index.header) if flags.page else 0


def _query(flags: argparse.Namespace, index: "Index") -> "Query":
    from mgcl.classifier.index.header import backbone_of
    from mgcl.classifier.index.search import query_of_sound, query_of_text
    from mgcl.classifier.sounds import decoded, read

    backbone = backbone_of(index.header, flags.index, weights=flags.weights, device=flags.device)
    if flags.text is not None:
        return query_of_text(flags.text, backbone)
    rate, seconds, channels = backbone.sample_rate, backbone.seconds, index.header.channels
    sound = decoded(next(read([flags.like], sample_rate=rate, seconds=seconds, channels=channels)))
    if sound.seconds > 1.2 * seconds:
        print(
            f"{flags.like}: is longer than {seconds:g} s: what is from {sound.start:.1f} to {sound.stop:.1f} s is "
            "looked for; cut it if you mean another part",
            file=sys.stderr,
        )
    return query_of_sound(sound, backbone)


def _print_csv(hits: "Sequence[Hit]") -> None:
    from mgcl.classifier.index.search import Hit

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([field.name for field in fields(Hit)])
    for hit in hits:
        writer.writerow([each if isinstance(each, str) else f"{each:.3f}" for each in asdict(hit).values()])


def _write_page(flags: argparse.Namespace, hits: "Sequence[Hit]", header: "Header") -> int:
    from mgcl.classifier.index.page import html
    from mgcl.files import replacing

    asked = f"like {flags.like.name}" if flags.like else f"described by “{flags.text}”"
    page, faults = html(hits, header, asked)
    flags.page.parent.mkdir(parents=True, exist_ok=True)
    with replacing(flags.page) as draft:
        draft.write_text(page, encoding="utf-8")
    for fault in faults:
        print(f"error: {with_flags(fault, flags.called)}", file=sys.stderr)
    print(f"page: {flags.page}", file=sys.stderr)
    return 1 if faults else 0
