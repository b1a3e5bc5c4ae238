"""``mgcl data``: fetch, check and generate data sets."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.catalogue import load, names
from mgcl.cli.commands import Commands, add_channels
from mgcl.errors import DataError, with_flags
from mgcl.extras import missing

if TYPE_CHECKING:
    from mgcl.data.dataset import Dataset, DatasetModule

_FETCHED = "esc50, fsdkaggle18, urbansound8k, desed or urbansed"
"""Data sets whose modules have ``ARCHIVES``."""

_SETS = ("soundscape_events", "soundscape_tags", "soundscape_captions", "soundscape_phrases")


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    data = commands.add_parser("data", help="fetch, check or generate a data set")
    kinds = data.add_subparsers(required=True, metavar="COMMAND")

    fetch = kinds.add_parser(
        "fetch",
        help="download a published data set",
        description="Download, check and unpack a data set. Stopped, it goes on where it was.",
    )
    fetch.add_argument("name", metavar="NAME", help=_FETCHED)
    fetch.add_argument("--root", required=True, metavar="DIR", type=Path, help="folder to put it in")
    fetch.set_defaults(job=_fetch)

    check = kinds.add_parser(
        "check",
        help="decode every clip and list what is wrong",
        description="Count and decode every clip and list what is wrong; exit code 1 if anything is.",
    )
    check.add_argument("name", metavar="NAME", help=f"of {', '.join(names('dataset'))}; or hub:OWNER/NAME@COMMIT")
    check.add_argument("--root", metavar="DIR", type=Path, help="where it lies (of hub: default in $MGCL_HOME/data)")
    add_channels(check)
    check.add_argument("--workers", type=int, metavar="N", help="default: one a core")
    check.add_argument(
        "--leave-out-missing",
        action="store_true",
        help="of data sets from YouTube: list the clips that are not there in DIR/missing.txt, which leaves them out",
    )
    check.set_defaults(job=_check)

    generate = kinds.add_parser(
        "generate",
        help="write generated clips: soundscapes (wav, in ESC-50's layout), sets for zero-shot tasks (wav), or scenes "
        "(mp4)",
    )
    generate.add_argument(
        "name", nargs="?", choices=("soundscapes", "scenes", *_SETS), default="soundscapes", help="default: soundscapes"
    )
    generate.add_argument("--root", required=True, metavar="DIR", type=Path, help="folder to make")
    generate.add_argument(
        "--split",
        default="evaluation",
        help="evaluation (default), development, or training (not of scenes)",
    )
    generate.add_argument(
        "--clips",
        type=int,
        help="per class of soundscapes (default: 40), or in all of a set for zero-shot tasks (default: 120 to 240); "
        "scenes have 30 per class",
    )
    generate.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default: 0)")
    generate.set_defaults(job=_generate)


def _fetch(flags: argparse.Namespace) -> int:
    from mgcl.data._download import fetch

    module = load("dataset", flags.name)
    if not hasattr(module, "ARCHIVES"):
        raise DataError(
            f"mgcl does not download {flags.name}, only {_FETCHED}; `mgcl data check {flags.name} --root DIR` states "
            "what to put where"
        )
    print(f"{flags.name}: {module.LICENCE}", flush=True)
    fetched = fetch(module.ARCHIVES, flags.root)
    dataset = module.read(flags.root)
    done = "" if fetched else "; it was complete, nothing was downloaded"
    print(f"{flags.root}: {len(dataset.files)} clips, {len(dataset.classes)} classes, {dataset.name}{done}")
    return 0


def _check(flags: argparse.Namespace) -> int:
    from joblib import cpu_count

    from mgcl.data._check import check
    from mgcl.data._opening import opened

    workers = cpu_count() if flags.workers is None else flags.workers
    if workers < 1:
        raise DataError(f"--workers {workers}: at least 1")
    module, flags.root = opened(flags.name, flags.root)
    if flags.leave_out_missing:
        _leave_out(module, flags)
    report = check(module, flags.root, workers=workers, channels=flags.channels)
    print(report.lengths.round(2).to_markdown(index=False))
    print(*(with_flags(fault, flags.called) for fault in report.faults), sep="\n", end="\n" if report.faults else "")
    if report.hidden:
        print(f"{report.hidden} hidden files were passed over")
    verdict = f"{len(report.faults)} wrong" if report.faults else "nothing wrong"
    parts = [f"{report.clips} clips", f"{report.classes} classes"]
    parts += [
        f"{number} {name}" for name, number in (("captions", report.captions), ("events", report.events)) if number
    ]
    print(f"{flags.root}: {', '.join(parts)}, {verdict}")
    return 1 if report.faults else 0


def _leave_out(module: "DatasetModule", flags: argparse.Namespace) -> None:
    from mgcl.data._youtube import leave_out
    from mgcl.data.dataset import MissingFilesError

    if not hasattr(module, "LEAVES_OUT"):
        raise DataError(
            f"`leave_out_missing`: no clip of {flags.name} may be missing; fetch it again, or leave this out"
        )
    try:
        module.read(flags.root)
    except MissingFilesError as error:
        number = leave_out(flags.root, error.listed)
        print(f"{flags.root / module.LEAVES_OUT}: {number} clips that are not there are left out")


def _generate(flags: argparse.Namespace) -> int:
    from joblib import cpu_count

    write = {"scenes": _scenes, "soundscapes": _soundscapes}.get(flags.name, _set)
    dataset = write(flags, cpu_count())
    print(f"{flags.root}: {len(dataset.files)} clips, {len(dataset.classes)} classes, {dataset.name}")
    return 0


def _soundscapes(flags: argparse.Namespace, workers: int) -> "Dataset":
    from mgcl.data.soundscapes import CLIPS, generate

    clips = CLIPS if flags.clips is None else flags.clips
    return generate(flags.root, split=flags.split, clips=clips, seed=flags.seed, workers=workers)


def _set(flags: argparse.Namespace, workers: int) -> "Dataset":
    module = load("dataset", flags.name)
    clips = module.KIND.clips if flags.clips is None else flags.clips
    written: Dataset = module.generate(flags.root, split=flags.split, clips=clips, seed=flags.seed, workers=workers)
    return written


def _scenes(flags: argparse.Namespace, workers: int) -> "Dataset":
    from mgcl.data.scenes import generate

    if flags.clips is not None:
        raise DataError("`clips`: scenes have 30 a class, of which the parts' splits are made; leave it out")
    if lacking := missing("av"):
        raise DataError(f"scenes need {lacking}")
    return generate(flags.root, vocabulary=flags.split, seed=flags.seed, workers=workers)
