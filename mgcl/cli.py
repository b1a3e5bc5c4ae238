"""The ``mgcl`` command: arguments, exit codes, what is printed; nothing else."""

import argparse
import functools
import math
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mgcl import __version__
from mgcl.errors import MgclError, TrackingError, run_and_exit
from mgcl.home import home, similarity_limit

if TYPE_CHECKING:
    from mgcl.transport.tiles import StoredSimilarity


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit: 0, or 2 with one line on bad input."""
    flags = _parser().parse_args(arguments)
    run_and_exit(functools.partial(flags.job, flags))


def _bank_info(flags: argparse.Namespace) -> int:
    from mgcl.features import FeatureBank

    bank = FeatureBank.open(flags.bank)
    header, labels = bank.header, Counter(bank.clips["label"].to_pylist())
    sources = bank.clips["source"].to_pylist()
    known = [source for source in sources if source is not None]
    about = {
        "bank": bank.path,
        "digest": bank.digest,
        "dataset": f"{header.dataset} {header.revision}".strip(),
        "licence": header.licence or "not given",
        "backbone": f"{header.backbone}, d = {header.embedding_dim}, logit scale {header.logit_scale:g}",
        "audio": f"{header.seconds:g} s at {header.sample_rate} Hz, {header.segments} segments a clip",
        "clips": f"{len(sources)} from {len(set(known))} recordings" if known else f"{len(sources)}",
        "classes": f"{len(bank.row_of_class)}, {bank.explanation_embeddings.shape[1]} explanations each",
    }
    for name, value in about.items():
        print(f"{name:10}{value}")
    width = max(map(len, bank.row_of_class))
    for label in sorted(bank.row_of_class):
        print(f"  {label:{width}}  {labels[label]:5} clips")
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


def _report(flags: argparse.Namespace) -> int:
    from mgcl.reporting import tables
    from mgcl.sweep import tracking
    from mgcl.sweep.variants import VARIANTS

    uri = flags.tracking_uri or tracking.default_uri()
    runs = tracking.recorded_runs(flags.name, uri)
    if not runs:
        raise TrackingError(
            f"{uri}: no trial of a sweep called {flags.name!r} is recorded; run its file in sweeps/ first"
        )
    folder = tables.write(flags.name, tables.build(runs, order=tuple(VARIANTS)), flags.out)
    print(f"{len(runs)} trials: {folder / 'report.md'}, {folder / 'cells.csv'}")
    return 0


def _cache_ls(_flags: argparse.Namespace) -> int:
    root, stores = _stores()
    for store in stores:
        about = store.about
        solver = f"epsilon {about['epsilon']}, tolerance {about['tolerance']}" if "epsilon" in about else ""
        opened = f"{datetime.fromtimestamp(store.opened):%Y-%m-%d %H:%M}" if store.tiles else "-"
        print(
            f"{store.path.name}  bank {str(about['bank'])[:16]}  {about['kind']:10}  {solver:32}  {about['device']:4}  "
            f"{store.tiles:5} tiles  {store.size / 1e6:8.1f} MB  opened {opened}"
        )
    size = sum(store.size for store in stores)
    print(f"{root}: {len(stores)} stores, {size / 1e9:.2f} of {similarity_limit() / 1e9:g} GB")
    return 0


def _cache_rm(flags: argparse.Namespace) -> int:
    from mgcl.transport.tiles import remove

    root, stores = _stores()
    if flags.all == bool(flags.names):
        raise MgclError("name stores or banks as `mgcl cache ls` shows them, 8 digits or more, or say --all")
    for name in flags.names:
        if not any(_answers_to(store, name) for store in stores):
            raise MgclError(
                f"{root}: no store and no bank begins with {name!r} (8 digits or more); `mgcl cache ls` lists them"
            )
    chosen = [store for store in stores if flags.all or any(_answers_to(store, name) for name in flags.names)]
    for store in chosen:
        remove(store)
    print(f"{root}: removed {len(chosen)} stores, {sum(store.size for store in chosen) / 1e6:.1f} MB")
    return 0


def _stores() -> tuple[Path, "list[StoredSimilarity]"]:
    from mgcl.transport.tiles import machine_root, stores

    root = machine_root(home())
    return root, stores(root)


def _answers_to(store: "StoredSimilarity", name: str) -> bool:
    return len(name) >= 8 and any(each.startswith(name) for each in (store.path.name, str(store.about["bank"])))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mgcl", description="Few-shot sound recognition on frozen features.")
    parser.add_argument("--version", action="version", version=f"mgcl {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
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
    make.add_argument("--logit-scale", type=float, required=True, help="1..200, already exponentiated (CLAP: 100)")
    make.add_argument("--sample-rate", type=int, required=True, metavar="HZ")
    make.add_argument("--seconds", type=float, required=True, help="that the segments cover")
    make.add_argument("--revision", default="", help="of the data set")
    make.add_argument("--licence", default="", help="of the data set")
    make.set_defaults(job=_bank_import)

    export = banks.add_parser("export", help="write a bank out")
    export.add_argument("bank", metavar="DIR", type=Path)
    export.add_argument("--parquet", required=True, metavar="DIR", type=Path, help="folder to make")
    export.set_defaults(job=_bank_export)

    cache = commands.add_parser("cache", help="the similarities kept on this machine, $MGCL_HOME/similarity")
    caches = cache.add_subparsers(required=True, metavar="COMMAND")
    ls = caches.add_parser("ls", help="list them, the least recently opened first")
    ls.set_defaults(job=_cache_ls)
    rm = caches.add_parser("rm", help="remove some; they are computed again when needed")
    rm.add_argument("names", nargs="*", metavar="NAME", help="a store or a bank: 8 or more of its digits")
    rm.add_argument("--all", action="store_true", help="every store of this machine")
    rm.set_defaults(job=_cache_rm)

    report = commands.add_parser("report", help="draw a sweep's tables from MLflow")
    report.add_argument("name", help="of the sweep, e.g. full_grid")
    report.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: $MGCL_HOME/mlflow.db)")
    report.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    report.set_defaults(job=_report)
    return parser


_IMPORT = """Rows of the csv files follow the arrays'. The npz holds float arrays: clip_embeddings and
caption_embeddings (clips, d), segment_embeddings (clips, segments, d), prompt_embeddings (classes, d),
explanation_embeddings (classes, explanations, d)."""
