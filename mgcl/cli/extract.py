"""``mgcl extract``: embed a data set into a feature bank."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.backbones import reads_text
from mgcl.catalogue import load, names
from mgcl.cli.commands import (
    Commands,
    add_backbone,
    add_channels,
    add_dataset,
    add_window,
    chosen_backbone,
    say_what_is_passed_over,
    warn_of_named_classes,
)
from mgcl.errors import MgclError, with_flags
from mgcl.extras import missing
from mgcl.language.prompt_sets import PROMPT_SETS

if TYPE_CHECKING:
    from mgcl.backbones.backbone import Facts
    from mgcl.cluster.machines import Machines
    from mgcl.data.dataset import Dataset
    from mgcl.extraction.extract import Run
    from mgcl.extraction.texts import Texts
    from mgcl.features import FeatureBank
    from mgcl.language.explanations import ClassText

_LEFT_OUT = 1000
"""Clips that were left out and are printed; a bank's header has all of them."""


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
    _say_whether_ray(machines)
    if flags.out.exists():
        raise BankError(f"{flags.out}: exists already; name another folder, or remove it first")
    if (source := streamed(flags.dataset, flags.root)) is not None:
        from mgcl.cli.extract_streamed import extract_streamed

        return extract_streamed(flags, machines, source)
    module, flags.root = opened(flags.dataset, flags.root)
    check_videos(flags, getattr(module, "PICTURES", False))
    dataset: Dataset = module.read(flags.root).taking(flags.channels).under(flags.window, flags.prompt)
    if hasattr(module, "passed_over") and flags.root.is_dir():
        say_what_is_passed_over(flags.root)
    if flags.verified_only:
        dataset = dataset.verified_only()
    load("backbone", flags.backbone)
    return (_extract_videos if dataset.pictures else _extract_sounds)(flags, machines, dataset)


def _extract_sounds(flags: argparse.Namespace, machines: "Machines", dataset: "Dataset") -> int:
    from mgcl.captioners.file import read_captions
    from mgcl.data._faults import faults
    from mgcl.errors import DataError
    from mgcl.extraction.extract import extract_by
    from mgcl.extraction.texts import Texts, class_texts

    # Bad input is refused here, before Ray and the backbone are started, which takes a while.
    for fault in faults(dataset):
        raise DataError(fault)
    sentences = reads_text_side(flags)
    classes = class_texts(dataset, given_classes(flags.explanations, dataset)) if sentences else None
    captions = read_captions(flags.captions) if flags.captions else None
    flags.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with started(flags, machines) as (about, run):
        texts = Texts.of(dataset, about, classes=classes, captions=captions).with_prompt_sets(flags.prompt_sets)
        bank = extract_by(run, dataset, about, flags.out, texts, strict=flags.strict, half=bool(flags.float16))
    say_what_was_made(flags, bank, texts)
    return 0


def say_what_was_made(flags: argparse.Namespace, bank: "FeatureBank", texts: "Texts") -> None:
    """Print what a bank of sounds holds, what it lacks, and which clips it leaves out."""
    from mgcl.overlaps import overlaps

    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    for each in overlaps(bank.header.backbone, bank.header.dataset):
        print(f"overlap: {each}")
    warn_of_named_classes(bank.captions_naming_class)
    if texts.choices:
        print(f"captions: the nearest of the {len(texts.choices):,} that {flags.backbone} brings")
    if not reads_text(flags.backbone):
        print(f"no sentences: {flags.backbone} has no text side; sweeps leave out the rows that read some")
    elif not bank.captioned and not bank.lacks(["label"]):
        print("no captions: write them with `mgcl caption`, or run sweeps of this bank with --audio-only")
    reasons = list(bank.left_out.values())
    for reason in reasons[:_LEFT_OUT]:
        print(f"left out: {with_flags(reason, flags.called)}")
    if len(reasons) > _LEFT_OUT:
        print(f"left out: {len(reasons) - _LEFT_OUT:,} more clips; {bank.path / 'bank.json'} lists them")


def reads_text_side(flags: argparse.Namespace) -> bool:
    """Whether the backbone has a text side.

    Raises:
        MgclError: it has none, and an argument is of sentences.
    """
    if reads_text(flags.backbone):
        return True
    for name in ("captions", "explanations", "prompt", "prompt_sets"):
        if getattr(flags, name):
            raise MgclError(f"`{name}`: the backbone {flags.backbone} has no text side; leave it out")
    return False


def _say_whether_ray(machines: "Machines") -> None:
    from mgcl.cluster.machines import Machines

    if lacking := missing("ray"):
        if machines != Machines():
            raise MgclError(f"--address, --actors and --gpus-per-actor need {lacking}; or leave them out")
        print(f"extracting in this process, on one CPU or GPU; on all of them needs {lacking}", flush=True)


def _extract_videos(flags: argparse.Namespace, machines: "Machines", dataset: "Dataset") -> int:
    from mgcl.extraction.extract import check_splits, extract_videos_by
    from mgcl.extraction.words import BAG, word_vectors

    check_splits(dataset)

    if flags.visual_backbone is None:
        print("visual backbone: motion_grid; --visual-backbone names another", flush=True)
    words = flags.words or BAG
    own = flags.weights if words == flags.backbone else None
    vectors = word_vectors(dataset.classes, words, weights=own)
    flags.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    visual = flags.visual_backbone or "motion_grid", flags.visual_weights
    with started(flags, machines, visual) as (about, run):
        bank = extract_videos_by(run, dataset, about, flags.out, vectors, strict=flags.strict)
    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    for name, what in (("audio", "sound"), ("video", "picture")):
        if missing_tokens := int((bank.ragged(name).lengths == 0).sum()):
            print(f"{missing_tokens} clips have no {what}")
    for reason in bank.left_out.values():
        print(f"left out: {with_flags(reason, flags.called)}")
    return 0


def check_videos(flags: argparse.Namespace, pictures: bool) -> None:
    """Refuse what does not fit the data set, before anything is listed or loaded.

    Raises:
        MgclError: an argument is of videos and the data set of sounds, or the other way round; or one is wrong.
    """
    from mgcl.extraction.words import check_words

    of_videos = {name: getattr(flags, name) for name in ("visual_backbone", "visual_weights", "words")}
    of_sounds = {name: getattr(flags, name) for name in ("captions", "explanations", "prompt", "window", "float16")}
    for name, value in (of_sounds if pictures else of_videos).items():
        if value is not None:
            kind = "videos, whose banks hold tokens and word vectors" if pictures else "sounds alone"
            raise MgclError(f"`{name}`: {flags.dataset} is a data set of {kind}; leave it out")
    if pictures:
        if lacking := missing("av"):
            raise MgclError(f"videos need {lacking}")
        if flags.visual_backbone is not None:
            load("visual_backbone", flags.visual_backbone)
        if flags.words is not None:
            check_words(flags.words)


@contextmanager
def started(
    flags: argparse.Namespace, machines: "Machines", visual: tuple[str, str | None] | None = None
) -> "Iterator[tuple[Facts, Run]]":
    """Start the backbone, and for videos the visual one: in actors, or in this process if Ray is not installed.

    Yields:
        The backbone's facts, and the function that embeds with it.
    """
    if missing("ray"):
        import torch

        from mgcl.extraction.embedding import load_exact
        from mgcl.extraction.extract import in_process
        from mgcl.extraction.tokens import Pair, load_visual

        device = "cuda" if torch.cuda.is_available() else "cpu"
        backbone = load_exact(flags.backbone, flags.weights, device)
        backbone = Pair(backbone, load_visual(*visual, device)) if visual else backbone
        yield backbone, in_process(backbone, flags.decode_workers)
        return
    from joblib import cpu_count

    from mgcl.extraction.actors import start_actors

    choice = flags.backbone, flags.weights
    with start_actors(
        *choice, machines, cpus=cpu_count(), decode_workers=flags.decode_workers, visual=visual
    ) as actors:
        yield actors.about, actors.run


def given_classes(given: str | None, dataset: "Dataset") -> "Mapping[str, ClassText] | None":
    """Prompt and explanations that ``--explanations`` gives, by label; None: those that come with mgcl."""
    from mgcl.language.explanations import explanations, from_templates, read_explanations
    from mgcl.language.prompts import TEMPLATES

    if given is None and not explanations(dataset.name).keys() >= set(dataset.classes):
        print("explanations: the class names in plain sentences; --explanations FILE takes written ones", flush=True)
        given = "templates"
    if given is None:
        return None
    template = dataset.prompt or TEMPLATES[0]
    if given == "templates":
        return from_templates(dataset.classes, template)
    return read_explanations(Path(given), template)
