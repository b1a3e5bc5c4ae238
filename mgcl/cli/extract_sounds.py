"""``mgcl extract`` of a data set of sounds that is held whole; streamed data sets use some of it."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.backbones import reads_text
from mgcl.cli.commands import warn_of_named_classes
from mgcl.cli.extract_start import started
from mgcl.errors import MgclError, with_flags

if TYPE_CHECKING:
    from mgcl.cluster.machines import Machines
    from mgcl.data.dataset import Dataset
    from mgcl.extraction.texts import Texts
    from mgcl.features import FeatureBank
    from mgcl.language.explanations import ClassText

_LEFT_OUT = 1000
"""Clips that were left out and are printed; a bank's header has all of them."""


def extract_sounds(flags: argparse.Namespace, machines: "Machines", dataset: "Dataset") -> int:
    """Embed the data set into a bank; the flags are those of ``mgcl extract``."""
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
