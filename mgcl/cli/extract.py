"""``mgcl extract``: embed a data set into a feature bank. One file per kind of data set: sounds, streamed, videos."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.catalogue import load, names
from mgcl.cli.commands import (
    Commands,
    add_backbone,
    add_channels,
    add_dataset,
    add_window,
    chosen_backbone,
    say_what_is_passed_over,
)
from mgcl.cli.extract_sounds import extract_sounds
from mgcl.cli.extract_start import check_videos, say_whether_ray
from mgcl.cli.extract_streamed import extract_streamed
from mgcl.cli.extract_videos import extract_videos
from mgcl.errors import MgclError
from mgcl.language.prompt_sets import PROMPT_SETS

if TYPE_CHECKING:
    from mgcl.data.dataset import Dataset


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    extract = commands.add_parser(
        "extract",
        help="embed a data set with a backbone: makes a feature bank",
        description="Embed a data set with a backbone, on Ray; where Ray is not installed, in this process. "
        "Killed, the same command goes on where it was.",
    )
    what = extract.add_argument_group("what to embed")
    add_dataset(what, streamed=True)
    what.add_argument("--verified-only", action="store_true", help="leave out clips whose label no one has checked")
    what.add_argument("--strict", action="store_true", help="stop at a file that cannot be decoded")
    add_backbone(what)
    what.add_argument(
        "--weights",
        metavar="W",
        help="of the backbone: a path or a Hugging Face id (default: $MGCL_<BACKBONE>_WEIGHTS, or its own)",
    )
    what.add_argument(
        "--visual-backbone",
        metavar="NAME",
        help=f"of {', '.join(names('visual_backbone'))}: embeds the pictures of videos (default: motion_grid)",
    )
    what.add_argument("--visual-weights", metavar="W", help="of the visual backbone: a path or a Hugging Face id")
    what.add_argument(
        "--words",
        metavar="WORDS",
        help="word vectors of the classes of videos: bag (default; seeded, without a file), a backbone, whose text "
        "tower embeds the names, or a file (npz, or text as of word2vec)",
    )
    what.add_argument("--captions", metavar="FILE", type=Path, help="csv or jsonl: clip_id, caption")
    what.add_argument(
        "--explanations",
        metavar="FILE",
        help="json, or the word `templates` (default: those that come with mgcl, else templates)",
    )
    what.add_argument(
        "--prompt",
        metavar="TEMPLATE",
        help="of the classes' prompts, with {} for the name, e.g. '{} can be heard' (default: the data set's own)",
    )
    add_window(what)
    what.add_argument(
        "--prompt-sets",
        nargs="+",
        choices=tuple(PROMPT_SETS),
        default=(),
        help="published prompts of the classes, beside the bank's own, as rows of sweeps/zero_shot.py",
    )
    what.add_argument("--out", required=True, metavar="DIR", type=Path, help="the bank's folder; must not exist")
    what.add_argument(
        "--float16",
        action="store_true",
        default=None,
        help="store segments in half the room, with three to four digits",
    )
    add_channels(what)
    where = extract.add_argument_group("where")
    where.add_argument("--actors", type=int, metavar="N", help="default: as many as the GPUs take, or one a CPU")
    where.add_argument(
        "--gpus-per-actor", type=float, metavar="G", help="share of a GPU (default: 1, or 0 where there is none)"
    )
    where.add_argument("--decode-workers", type=int, default=2, metavar="D", help="threads an actor (default: 2)")
    where.add_argument("--address", help="a running Ray cluster: auto or host:port (default: start one here)")
    extract.set_defaults(job=_extract)


def _extract(flags: argparse.Namespace) -> int:
    from mgcl.cluster.machines import Machines
    from mgcl.data._opening import opened
    from mgcl.data._streamed.opening import streamed
    from mgcl.errors import BankError

    flags.backbone = chosen_backbone(flags)
    machines = Machines(flags.address, flags.actors, flags.gpus_per_actor)
    if flags.decode_workers < 1:
        raise MgclError(f"--decode-workers {flags.decode_workers}: at least 1")
    say_whether_ray(machines)
    if flags.out.exists():
        raise BankError(f"{flags.out}: exists already; name another folder, or remove it first")
    if (source := streamed(flags.dataset, flags.root)) is not None:
        return extract_streamed(flags, machines, source)
    module, flags.root = opened(flags.dataset, flags.root)
    check_videos(flags, getattr(module, "PICTURES", False))
    dataset: Dataset = module.read(flags.root).taking(flags.channels).under(flags.window, flags.prompt)
    if hasattr(module, "passed_over") and flags.root.is_dir():
        say_what_is_passed_over(flags.root)
    if flags.verified_only:
        dataset = dataset.verified_only()
    load("backbone", flags.backbone)
    return (extract_videos if dataset.pictures else extract_sounds)(flags, machines, dataset)
