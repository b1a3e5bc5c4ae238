"""Assemble finished shards of videos into a bank of audio and video tokens."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mgcl.backbones.backbone import Facts
from mgcl.backbones.visual.visual_backbone import STEP
from mgcl.data.dataset import Dataset
from mgcl.extraction.assembly import decoded, stated
from mgcl.extraction.tokens import audio_group
from mgcl.extraction.workbench import Workbench
from mgcl.features.bank import FeatureBank
from mgcl.features.columns import Floats, Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.writer import write_bank


def assemble_videos(
    bench: Workbench, dataset: Dataset, about: Facts, words: Mapping[str, Floats], out: Path
) -> FeatureBank:
    """Write the bank of an extraction whose shards are all finished. Clips are in the data set's order.

    The columns ``split`` and ``part`` are there if the data set gives one for every clip or class.

    Args:
        bench: workbench with the finished shards.
        dataset: data set that was embedded.
        about: facts about the pair of backbones.
        words: class -> word vector.
        out: folder of the bank; must not exist.

    Raises:
        DataError: no clip could be decoded.
    """
    left_out, files = bench.left_out(), decoded(bench, dataset)
    labels = replace(dataset, files=tuple(files)).classes
    tokens = {name: _gather(bench, name, [file.clip_id for file in files]) for name in ("audio", "video")}
    steps = {"audio": audio_group(about) * about.segment_seconds, "video": STEP}
    parts = [dataset.parts.get(label) for label in labels]
    return write_bank(
        out,
        Header(
            dataset=dataset.name,
            revision=dataset.revision,
            licence=dataset.licence,
            backbone=about.name,
            sample_rate=about.sample_rate,
            tokens={name: Tokens(steps[name], gaps=bool((each.lengths == 0).any())) for name, each in tokens.items()},
        ),
        {**stated(files), **tokens},
        {
            "label": labels,
            "word_vector": np.stack([words[label] for label in labels]),
            "part": None if None in parts else parts,
        },
        extraction={"weights": about.fingerprint, "left_out": left_out},
    )


def _gather(bench: Workbench, name: str, clip_ids: list[str]) -> Ragged:
    """Gather one modality's tokens in the order of the clips. The values are a mapped file."""
    row_of = {clip_id: row for row, clip_id in enumerate(clip_ids)}
    lengths = np.zeros(len(clip_ids), np.int64)
    for each in bench.videos():
        lengths[[row_of[clip_id] for clip_id in each.clip_ids]] = _column(each, name).lengths
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    dim = next(iter(_column(each, name) for each in bench.videos())).values.shape[1]
    values = bench.array(name, (int(offsets[-1]), dim)) if offsets[-1] else np.empty((0, dim), np.float32)
    for each in bench.videos():
        column = _column(each, name)
        for index, clip_id in enumerate(each.clip_ids):
            row = row_of[clip_id]
            values[offsets[row] : offsets[row + 1]] = column[index]
    return Ragged(values, offsets)


def _column(videos: object, name: str) -> Ragged:
    column: Ragged = getattr(videos, name)
    return column
