"""``mgcl bank``: look at, make or export a feature bank."""

import argparse
import math
import sys
from collections import Counter
from pathlib import Path

from mgcl.cli.commands import Commands, warn_of_named_classes


def add(commands: Commands) -> None:
    """Add the command to the parser's."""
    bank = commands.add_parser("bank", help="look at, make or export a feature bank")
    banks = bank.add_subparsers(required=True, metavar="COMMAND")

    info = banks.add_parser("info", help="what a bank holds")
    info.add_argument("bank", metavar="DIR", type=Path)
    info.set_defaults(job=_bank_info)

    make = banks.add_parser("import", help="make a bank from your own arrays", description=_IMPORT)
    for name, what in (
        ("arrays", "npz of the embeddings"),
        ("clips", "csv: clip_id, label, caption [, fold, source]"),
        ("classes", "csv: label, prompt, explanation_1, explanation_2, ..."),
        ("out", "the bank's folder; must not exist"),
    ):
        make.add_argument(f"--{name}", required=True, metavar="PATH", type=Path, help=what)
    make.add_argument("--dataset", required=True, metavar="NAME", help="esc50 and fsdkaggle18 have published folds")
    make.add_argument("--backbone", required=True, metavar="NAME", help="what made the embeddings")
    make.add_argument("--logit-scale", type=float, required=True, help="1..1000, already exponentiated (CLAP: 100)")
    make.add_argument("--sample-rate", type=int, required=True, metavar="HZ")
    make.add_argument("--seconds", type=float, required=True, help="that the segments cover")
    make.add_argument("--revision", default="", help="of the data set")
    make.add_argument("--licence", default="", help="of the data set")
    make.set_defaults(job=_bank_import)

    export = banks.add_parser("export", help="write a bank out")
    export.add_argument("bank", metavar="DIR", type=Path)
    export.add_argument("--parquet", required=True, metavar="DIR", type=Path, help="folder to make")
    export.set_defaults(job=_bank_export)


def _bank_info(flags: argparse.Namespace) -> int:
    from mgcl.features import FeatureBank

    bank = FeatureBank.open(flags.bank)
    header, labels = bank.header, Counter(bank.clips["label"].to_pylist())
    sources = bank.clips["source"].to_pylist()
    known = [source for source in sources if source is not None]
    naming = bank.captions_naming_class
    about = {
        "bank": bank.path,
        "digest": bank.digest,
        "dataset": f"{header.dataset} {header.revision}".strip(),
        "licence": header.licence or "not given",
        "backbone": f"{header.backbone}, d = {header.embedding_dim}, logit scale {header.logit_scale:g}",
        "audio": f"{header.seconds:g} s at {header.sample_rate} Hz, {header.segments} segments a clip",
        "captions": "none" if naming is None else f"{100 * naming:.1f} % contain a word of their class's name",
        "clips": f"{len(sources)} from {len(set(known))} recordings" if known else f"{len(sources)}",
        "classes": f"{len(bank.row_of_class)}, {bank.explanation_embeddings.shape[1]} explanations each",
    }
    for name, value in about.items():
        print(f"{name:10}{value}")
    width = max(map(len, bank.row_of_class))
    for label in sorted(bank.row_of_class):
        print(f"  {label:{width}}  {labels[label]:5} clips")
    for reason in bank.left_out.values():
        print(f"left out: {reason}")
    return 0


def _bank_import(flags: argparse.Namespace) -> int:
    from mgcl.features.exchange import import_arrays

    bank = import_arrays(
        flags.arrays,
        flags.clips,
        flags.classes,
        flags.out,
        dataset=flags.dataset,
        backbone=flags.backbone,
        logit_scale=flags.logit_scale,
        sample_rate=flags.sample_rate,
        seconds=flags.seconds,
        revision=flags.revision,
        licence=flags.licence,
    )
    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    warn_of_named_classes(bank.captions_naming_class)
    if flags.logit_scale < 10:
        meant = math.exp(flags.logit_scale)
        print(
            f"warning: --logit-scale {flags.logit_scale:g} is small for a CLAP; if a checkpoint says so, that is its "
            f"logarithm, and the scale is {meant:.4g}",
            file=sys.stderr,
        )
    return 0


def _bank_export(flags: argparse.Namespace) -> int:
    from mgcl.features import FeatureBank
    from mgcl.features.exchange import export_parquet

    export_parquet(FeatureBank.open(flags.bank), flags.parquet)
    print(f"{flags.parquet}: clips.parquet, classes.parquet, bank.json")
    return 0


_IMPORT = """Rows of the csv files follow the arrays'. The npz holds float arrays: clip_embeddings and
caption_embeddings (clips, d), segment_embeddings (clips, segments, d), prompt_embeddings (classes, d),
explanation_embeddings (classes, explanations, d)."""
