"""``mgcl caption``: caption every clip of a data set with a captioner."""

import argparse
from pathlib import Path

from mgcl.catalogue import load, names
from mgcl.cli.commands import Commands, add_channels, add_dataset, add_window, warn_of_named_classes


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    caption = commands.add_parser(
        "caption",
        help="say what every clip sounds like: makes the captions that `mgcl extract --captions` reads",
        description="Stopped, it goes on where it was.",
    )
    add_dataset(caption)
    caption.add_argument("--captioner", required=True, metavar="NAME", help=f"of {', '.join(names('captioner'))}")
    caption.add_argument("--model", metavar="ID", help="of the captioner: an id or a path (default: its own)")
    caption.add_argument("--device", default="cpu", help="a torch device (default: cpu)")
    add_channels(caption)
    add_window(caption)
    caption.add_argument(
        "--batch", type=_positive, default=8, metavar="N", help="clips described together (default: 8)"
    )
    caption.add_argument("--out", required=True, metavar="FILE", type=_jsonl, help="a .jsonl file")
    caption.set_defaults(job=_caption)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _jsonl(text: str) -> Path:
    if not text.endswith(".jsonl"):
        raise argparse.ArgumentTypeError(f"must end in .jsonl, got {text}")
    return Path(text)


def _caption(flags: argparse.Namespace) -> int:
    from mgcl.captioners import caption_dataset
    from mgcl.data._opening import opened
    from mgcl.language.captions import names_its_class
    from mgcl.pretrained import usable

    module, flags.root = opened(flags.dataset, flags.root)
    dataset = module.read(flags.root).taking(flags.channels).under(flags.window)
    captioner = load("captioner", flags.captioner).load(flags.model, usable(flags.device))
    captions = caption_dataset(
        dataset, captioner, flags.out, name=flags.captioner, model=flags.model, batch=flags.batch
    )
    captioned = [file for file in dataset.files if file.clip_id in captions]
    naming = [any(names_its_class(captions[file.clip_id], each) for each in file.classes) for file in captioned]
    named = sum(naming) / max(1, len(captioned))
    print(f"{flags.out}: {len(captions)} captions, {100 * named:.1f} % contain a word of their class's name")
    for file in dataset.files:
        if file.clip_id not in captions:
            print(f"no caption: {file.path} cannot be decoded")
    warn_of_named_classes(named)
    return 0
