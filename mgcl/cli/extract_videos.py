"""``mgcl extract`` of a data set of videos: tokens of sound and picture."""

import argparse
from typing import TYPE_CHECKING

from mgcl.cli.extract_start import started
from mgcl.errors import with_flags

if TYPE_CHECKING:
    from mgcl.cluster.machines import Machines
    from mgcl.data.dataset import Dataset


def extract_videos(flags: argparse.Namespace, machines: "Machines", dataset: "Dataset") -> int:
    """Embed the data set into a bank; the flags are those of ``mgcl extract``."""
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
