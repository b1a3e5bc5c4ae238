"""``mgcl extract`` of a streamed data set: a manifest, tar archives, or parquet files with audio."""

import argparse
from typing import TYPE_CHECKING

from mgcl.cli.commands import warnings_as_lines
from mgcl.cli.extract_sounds import given_classes, reads_text_side, say_what_was_made
from mgcl.cli.extract_start import check_videos, started
from mgcl.errors import DataError, MgclError

if TYPE_CHECKING:
    from mgcl.cluster.machines import Machines
    from mgcl.data._streamed.listing import Streamed


def extract_streamed(flags: argparse.Namespace, machines: "Machines", source: "Streamed") -> int:
    """List the data set, and embed it into shards of the bank; the flags are those of ``mgcl extract``."""
    from mgcl.catalogue import load
    from mgcl.data._faults import faults
    from mgcl.extraction.streamed import extract_streamed_by, texts_of
    from mgcl.extraction.streamed_plan import plan_of
    from mgcl.extraction.texts import class_texts

    check_videos(flags, False)
    _check(flags)
    sentences = reads_text_side(flags)
    load("backbone", flags.backbone)
    dataset = source.about.taking(flags.channels).under(flags.window, flags.prompt)
    # Bad arguments are refused here, and bad rows before Ray and the backbone are started, which takes a while.
    for fault in faults(dataset):
        raise DataError(fault)
    given_classes(flags.explanations, dataset)
    flags.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with warnings_as_lines(flags):
        plan = plan_of(source, flags.out)
    described = plan.described(dataset)
    classes = class_texts(described, given_classes(flags.explanations, described)) if sentences else None
    with started(flags, machines) as (about, run):
        texts = texts_of(plan, dataset, about, classes).with_prompt_sets(flags.prompt_sets)
        stored = {"channels": flags.channels, "strict": flags.strict, "half": bool(flags.float16)}
        bank = extract_streamed_by(run, plan, dataset, about, flags.out, texts, **stored)
    say_what_was_made(flags, bank, texts)
    return 0


def _check(flags: argparse.Namespace) -> None:
    """Refuse what only data sets that are held whole can have.

    Raises:
        MgclError: there is such an argument.
    """
    if flags.captions is not None:
        raise MgclError(f"`captions`: {flags.dataset} has its captions in itself, as a column caption; leave it out")
    if flags.verified_only:
        raise MgclError(f"`verified_only`: {flags.dataset} does not say which labels are verified; leave it out")
