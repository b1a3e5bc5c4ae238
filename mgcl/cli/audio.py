"""``mgcl data`` and ``mgcl extract``: from sounds to a feature bank."""

import argparse
import os
from pathlib import Path

from mgcl.catalogue import load, names
from mgcl.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add both commands to the parser's."""
    data = commands.add_parser("data", help="make a data set")
    kinds = data.add_subparsers(required=True, metavar="COMMAND")
    generate = kinds.add_parser("generate", help="write the generated soundscapes as audio files, in ESC-50's layout")
    generate.add_argument("--root", required=True, metavar="DIR", type=Path, help="folder to make")
    generate.add_argument("--split", default="evaluation", help="evaluation (default), development or training")
    generate.add_argument("--clips", type=int, default=40, help="a class (default: 40)")
    generate.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default: 0)")
    generate.set_defaults(job=_generate)

    extract = commands.add_parser("extract", help="embed a data set with a backbone: makes a feature bank")
    extract.add_argument("--dataset", required=True, metavar="NAME", help=f"of {', '.join(names('dataset'))}")
    extract.add_argument("--root", required=True, metavar="DIR", type=Path, help="where the data set lies")
    extract.add_argument("--backbone", default="tiny", metavar="NAME", help=f"of {', '.join(names('backbone'))}")
    extract.add_argument("--weights", metavar="PATH", help="of the backbone (default: those that come with it)")
    extract.add_argument("--device", default="cpu", help="a torch device (default: cpu)")
    extract.add_argument("--out", required=True, metavar="DIR", type=Path, help="the bank's folder; must not exist")
    extract.set_defaults(job=_extract)


def _generate(flags: argparse.Namespace) -> int:
    from mgcl.data.soundscapes import generate

    dataset = generate(flags.root, split=flags.split, clips=flags.clips, seed=flags.seed, workers=os.cpu_count() or 1)
    print(f"{flags.root}: {len(dataset.files)} clips, {len(dataset.classes)} classes, {dataset.name}")
    return 0


def _extract(flags: argparse.Namespace) -> int:
    dataset = load("dataset", flags.dataset).read(flags.root)
    backbone = load("backbone", flags.backbone).load(flags.weights, flags.device)

    from mgcl.features.extract import extract

    bank = extract(dataset, backbone, flags.out)
    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    return 0
