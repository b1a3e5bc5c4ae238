"""``mgcl bank``: describe, import or export a feature bank."""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgcl.cli.commands import Commands, warn_of_named_classes

if TYPE_CHECKING:
    from mgcl.features import FeatureBank


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    bank = commands.add_parser("bank", help="look at, make or export a feature bank")
    banks = bank.add_subparsers(required=True, metavar="COMMAND")

    info = banks.add_parser("info", help="what a bank holds")
    info.add_argument("bank", metavar="DIR", type=Path)
    info.add_argument("--check", action="store_true", help="read every value, and compare it with the recorded hashes")
    info.set_defaults(job=_bank_info)

    make = banks.add_parser("import", help="make a bank from your own arrays", description=_IMPORT)
    for name, what in (
        ("arrays", "npz of the embeddings"),
        ("clips", "csv: clip_id, label (or labels: a|b), caption (or caption_1, ...) [, fold, split, source]"),
        ("classes", "csv: label, prompt, explanation_1, explanation_2, ... [, part]"),
        ("out", "the bank's folder; must not exist"),
    ):
        make.add_argument(f"--{name}", required=True, metavar="PATH", type=Path, help=what)
    make.add_argument("--dataset", required=True, metavar="NAME", help="esc50 and fsdkaggle18 have published folds")
    make.add_argument("--backbone", required=True, metavar="NAME", help="what made the embeddings")
    make.add_argument("--logit-scale", type=float, default=0.0, help="1..1000, already exponentiated (CLAP: 100)")
    make.add_argument("--sample-rate", type=int, default=0, metavar="HZ")
    make.add_argument("--seconds", type=float, default=0.0, help="that the segments cover")
    make.add_argument("--events", metavar="PATH", type=Path, help="csv: clip_id, onset, offset (in seconds), label")
    for name in ("audio", "video"):
        make.add_argument(f"--{name}-step", type=float, metavar="SECONDS", help=f"from one {name} token to the next")
    make.add_argument("--revision", default="", help="of the data set")
    make.add_argument("--licence", default="", help="of the data set")
    make.set_defaults(job=_bank_import)

    published = banks.add_parser(
        "import-av", help="make a bank from published audio-visual features", description=_IMPORT_AV
    )
    published.add_argument("folder", metavar="DIR", type=Path, help="holds features and class-split")
    published.add_argument("--out", required=True, metavar="PATH", type=Path, help="the bank's folder; must not exist")
    published.add_argument("--shot", type=int, metavar="K", help="which of the folders K-shot, if there are several")
    published.add_argument(
        "--draw", type=int, choices=(0, 1, 2), help="one published draw of novel shots (default: all)"
    )
    published.add_argument("--dataset", default="", metavar="NAME", help="default: the name of DIR")
    published.add_argument("--float16", action="store_true", help="store visual features in half the room")
    published.add_argument(
        "--words", type=Path, metavar="FILE", help="word vectors, .npz or .vec (default: those of DIR)"
    )
    published.add_argument("--licence", default="", help="of the data set")
    published.set_defaults(job=_bank_import_av)

    export = banks.add_parser("export", help="write a bank out")
    export.add_argument("bank", metavar="DIR", type=Path)
    export.add_argument("--parquet", required=True, metavar="DIR", type=Path, help="folder to make")
    export.set_defaults(job=_bank_export)


def _bank_info(flags: argparse.Namespace) -> int:
    from mgcl.features import FeatureBank
    from mgcl.overlaps import overlaps

    bank = FeatureBank.open(flags.bank)
    if flags.check:
        print("every value is as recorded" if bank.verify() else "every value is valid; hashes were recorded now")
    header, labels = bank.header, Counter(label for clip in bank.labels for label in clip)
    for name, value in _about(bank).items():
        print(f"{name:10}{value}")
    for each in overlaps(header.backbone, header.dataset):
        print(f"{'overlap':10}{each}")
    for line in _parts(bank):
        print(f"{'part':10}{line}")
    width = max(map(len, bank.row_of_class), default=0)
    for label in sorted(bank.row_of_class):
        print(f"  {label:{width}}  {labels[label]:5} clips")
    for reason in bank.left_out.values():
        print(f"left out: {reason}")
    return 0


def _about(bank: "FeatureBank") -> dict[str, Any]:
    """Heads and values of the lines on a whole bank; what it does not have is left out."""
    header, sources = bank.header, bank.clips["source"].to_pylist()
    known = [source for source in sources if source is not None]
    scale = f", logit scale {header.logit_scale:g}" if header.logit_scale else ", no text side"
    scale = f", d = {header.embedding_dim}{scale}" if header.embedding_dim else ""
    heard = f"{header.seconds:g} s at {header.sample_rate} Hz, {header.segments} segments per clip"
    window = header.window
    return {
        "bank": bank.path,
        "digest": bank.digest,
        "dataset": f"{header.dataset} {header.revision}".strip(),
        "licence": header.licence or "not given",
        "backbone": f"{header.backbone}{scale}",
        **({} if bank.lacks(["segments"]) else {"audio": heard}),
        "captions": _captions(bank),
        "clips": f"{len(sources)} from {len(set(known))} recordings" if known else f"{len(sources)}",
        "classes": f"{len(bank.row_of_class)}{_explanations(bank)}",
        "columns": "; ".join(_columns(bank)),
        **(
            {"window": f"{window.seconds:g} s; shorter clips: {window.short}, longer clips: {window.long}"}
            if window
            else {}
        ),
        **({"prompt": header.prompt} if header.prompt else {}),
        **({} if bank.lacks(["events"]) else {"events": f"{sum(map(len, bank.events))}"}),
    }


def _captions(bank: "FeatureBank") -> str:
    if not bank.lacks(["captions"]):
        return f"{len(bank.ragged('captions').values)}, any number per clip"
    naming = bank.captions_naming_class
    if naming is not None:
        return f"{100 * naming:.1f} % contain a word of their class's name"
    return "none" if bank.lacks(["caption"]) else "one per clip"


def _explanations(bank: "FeatureBank") -> str:
    return "" if bank.lacks(["explanations"]) else f", {bank.floats('explanations').shape[1]} explanations each"


def _columns(bank: "FeatureBank") -> Iterator[str]:
    """Descriptions of the columns with vectors: name, content of a row, and for tokens the step in seconds."""
    from mgcl.features.columns import row_in_words
    from mgcl.features.schema import NAMED

    for name in bank.columns:
        if NAMED[name].holds_vectors:
            step = f", one per {bank.header.tokens[name].step:g} s" if name in bank.header.tokens else ""
            yield f"{name} {row_in_words(bank.column(name))}{step}"


def _parts(bank: "FeatureBank") -> list[str]:
    from mgcl.features.parts import parts_in_words

    return [] if bank.lacks(["part", "split"]) else parts_in_words(bank.clips, bank.classes)


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
        events=flags.events,
        steps={name: step for name in ("audio", "video") if (step := getattr(flags, f"{name}_step")) is not None},
    )
    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    warn_of_named_classes(bank.captions_naming_class)
    if 0 < flags.logit_scale < 10:
        meant = math.exp(flags.logit_scale)
        print(
            f"warning: --logit-scale {flags.logit_scale:g} is small for a CLAP; if a checkpoint says so, that is its "
            f"logarithm, and the scale is {meant:.4g}",
            file=sys.stderr,
        )
    return 0


def _bank_import_av(flags: argparse.Namespace) -> int:
    from mgcl.features.published_folder import import_published

    bank = import_published(
        flags.folder,
        flags.out,
        shot=flags.shot,
        draw=flags.draw,
        dataset=flags.dataset,
        half=flags.float16,
        words=flags.words,
        licence=flags.licence,
    )
    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    for line in _parts(bank):
        print(f"  {line}")
    return 0


def _bank_export(flags: argparse.Namespace) -> int:
    from mgcl.features import FeatureBank
    from mgcl.features.exchange import export_parquet

    export_parquet(FeatureBank.open(flags.bank), flags.parquet)
    print(f"{flags.parquet}: clips.parquet, classes.parquet, bank.json")
    return 0


_IMPORT = """Rows of the csv files follow the arrays'. The npz holds float arrays: clip_embeddings and
caption_embeddings (clips, d), segment_embeddings (clips, segments, d), prompt_embeddings (classes, d),
explanation_embeddings (classes, explanations, d). Several captions per clip: caption_embeddings (captions, d) with
caption_embeddings_offsets (clips + 1). It may also hold mel_statistics (clips, any), word_vectors (classes, any), and
audio and video tokens (tokens, any) with audio_offsets and video_offsets (clips + 1); with tokens nothing else is
needed."""

_IMPORT_AV = """DIR is the folder that comes with AV-DIFF (Mercea et al., 2023), with class-split/K-shot/ and
features/K-shot/{audio,video}/SPLIT/CLASS.pkl. Its pickles are read by an unpickler that builds NumPy arrays and plain
containers, and refuses all else. While it runs, it needs room on the disk for the tokens twice."""
