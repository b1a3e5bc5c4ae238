"""``mgcl extract``: from sounds to a feature bank."""

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.catalogue import load, names
from mgcl.cli.commands import (
    Commands,
    add_backbone,
    add_channels,
    chosen_backbone,
    say_what_is_passed_over,
    warn_of_named_classes,
)
from mgcl.errors import with_flags

if TYPE_CHECKING:
    from mgcl.data.dataset import Dataset
    from mgcl.language.explanations import ClassText


def add(commands: Commands) -> None:
    """Add the command to the parser's."""
    extract = commands.add_parser(
        "extract",
        help="embed a data set with a backbone: makes a feature bank",
        description="Embed a data set with a backbone, on Ray. Killed, the same command goes on where it was.",
    )
    what = extract.add_argument_group("what to embed")
    what.add_argument("--dataset", required=True, metavar="NAME", help=f"of {', '.join(names('dataset'))}")
    what.add_argument("--root", required=True, metavar="DIR", type=Path, help="where the data set lies")
    what.add_argument("--verified-only", action="store_true", help="leave out clips whose label no one has checked")
    what.add_argument("--strict", action="store_true", help="stop at a file that cannot be decoded")
    add_backbone(what)
    what.add_argument(
        "--weights",
        metavar="W",
        help="of the backbone: a path or a Hugging Face id (default: $MGCL_<BACKBONE>_WEIGHTS, or its own)",
    )
    what.add_argument("--captions", metavar="FILE", type=Path, help="csv or jsonl: clip_id, caption")
    what.add_argument(
        "--explanations",
        metavar="FILE",
        help="json, or the word `templates` (default: those that come with mgcl, else templates)",
    )
    what.add_argument("--out", required=True, metavar="DIR", type=Path, help="the bank's folder; must not exist")
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
    from joblib import cpu_count

    from mgcl.captioners.file import read_captions
    from mgcl.cluster.machines import Machines
    from mgcl.errors import BankError
    from mgcl.extraction.actors import start_actors
    from mgcl.extraction.extract import extract_by
    from mgcl.extraction.texts import Texts, class_texts

    flags.backbone = chosen_backbone(flags)
    machines = Machines(flags.address, flags.actors, flags.gpus_per_actor)
    if flags.out.exists():
        raise BankError(f"{flags.out}: exists already; name another folder, or remove it first")
    module = load("dataset", flags.dataset)
    dataset: Dataset = module.read(flags.root).taking(flags.channels)
    if hasattr(module, "passed_over") and flags.root.is_dir():
        say_what_is_passed_over(flags.root)
    if flags.verified_only:
        dataset = dataset.verified_only()
    load("backbone", flags.backbone)
    # Whatever can be refused is refused before Ray and the backbone take their time.
    classes = class_texts(dataset, _given_classes(flags.explanations, dataset))
    captions = read_captions(flags.captions) if flags.captions else None
    flags.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    start = functools.partial(start_actors, flags.backbone, flags.weights, decode_workers=flags.decode_workers)
    with start(machines, cpus=cpu_count()) as actors:
        texts = Texts.of(dataset, actors.about, classes=classes, captions=captions)
        bank = extract_by(actors.run, dataset, actors.about, flags.out, texts, strict=flags.strict)
    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    warn_of_named_classes(bank.captions_naming_class)
    if texts.choices:
        print(f"captions: the nearest of the {len(texts.choices):,} that {flags.backbone} brings")
    if not bank.captioned:
        print("no captions: write them with `mgcl caption`, or run sweeps of this bank with --audio-only")
    for reason in bank.left_out.values():
        print(f"left out: {with_flags(reason, flags.called)}")
    return 0


def _given_classes(given: str | None, dataset: "Dataset") -> "Mapping[str, ClassText] | None":
    from mgcl.language.explanations import explanations, from_templates, read_explanations

    if given is None and not explanations(dataset.name).keys() >= set(dataset.classes):
        print("explanations: the class names in plain sentences; --explanations FILE takes written ones", flush=True)
        given = "templates"
    if given is None:
        return None
    return from_templates(dataset.classes) if given == "templates" else read_explanations(Path(given))
