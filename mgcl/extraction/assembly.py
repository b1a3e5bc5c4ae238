"""Assemble finished shards into a bank. Large arrays are mapped files: memory does not grow with the data set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgcl.backbones.backbone import Facts
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError
from mgcl.extraction.texts import Texts
from mgcl.extraction.workbench import Workbench
from mgcl.features.bank import FeatureBank
from mgcl.features.columns import Floats
from mgcl.features.header import Header
from mgcl.features.writer import write_bank
from mgcl.language.captions import nearest_captions

_STORED = {"clip": "clip_embedding", "segments": "segment_embeddings", "mel_statistics": "mel_statistics"}
"""Name of an array in a shard -> the bank's column that it becomes."""


def assemble(bench: Workbench, dataset: Dataset, about: Facts, texts: Texts, out: Path) -> FeatureBank:
    """Write the bank of an extraction whose shards are all finished. Clips are in the data set's order.

    Args:
        bench: workbench with the finished shards.
        dataset: data set that was embedded.
        about: facts about the backbone.
        texts: sentences on clips and classes.
        out: folder of the bank; must not exist.

    Raises:
        DataError: no clip could be decoded.
    """
    left_out, files = bench.left_out(), decoded(bench, dataset)
    vectors = bench.sentences()
    labels = sorted({file.label for file in files})
    classes = [texts.classes[label] for label in labels]
    clips = _gather(bench, files)
    captions = _captions(files, clips["clip_embedding"], texts, vectors)
    if captions is not None:
        array = clips["caption_embedding"] = bench.array("caption", clips["clip_embedding"].shape)
        for row, caption in enumerate(captions):
            array[row] = vectors[caption]
    return write_bank(
        out,
        Header(
            dataset=dataset.name,
            revision=dataset.revision,
            licence=dataset.licence,
            backbone=about.name,
            embedding_dim=about.embedding_dim,
            logit_scale=about.logit_scale,
            sample_rate=about.sample_rate,
            seconds=about.segments * about.segment_seconds,
            segments=about.segments,
        ),
        {
            "clip_id": [file.clip_id for file in files],
            "label": [file.label for file in files],
            "caption": captions,
            "fold": [file.fold for file in files],
            "source": [file.source for file in files],
            **clips,
        },
        {
            "label": labels,
            "prompt": [each.prompt for each in classes],
            "prompt_embedding": np.stack([vectors[each.prompt] for each in classes]),
            "explanations": [each.explanations for each in classes],
            "explanation_embeddings": np.stack([[vectors[each] for each in one.explanations] for one in classes]),
            **texts.prompt_columns(labels, vectors),
        },
        extraction={"weights": about.fingerprint, "left_out": left_out},
    )


def decoded(bench: Workbench, dataset: Dataset) -> list[AudioFile]:
    """Return the files that could be decoded, in the data set's order.

    Raises:
        DataError: there is none.
    """
    left_out = bench.left_out()
    files = [file for file in dataset.files if file.clip_id not in left_out]
    if not files:
        raise DataError(f"{dataset.name}: no clip can be decoded, the first because of {next(iter(left_out.values()))}")
    return files


def _gather(bench: Workbench, files: Sequence[AudioFile]) -> dict[str, Floats]:
    """Gather the shards' arrays into the bank's columns of vectors, in the files' order. Columns are mapped files."""
    row_of = {file.clip_id: row for row, file in enumerate(files)}
    first = next(each for each in bench.clips() if each.clip_ids)
    arrays = {name: bench.array(name, (len(files), *getattr(first, name).shape[1:])) for name in _STORED}
    for each in bench.clips():
        rows = [row_of[clip_id] for clip_id in each.clip_ids]
        for name, array in arrays.items():
            array[rows] = getattr(each, name)
    return {_STORED[name]: array for name, array in arrays.items()}


def _captions(files: Sequence[AudioFile], clip: Floats, texts: Texts, vectors: dict[str, Floats]) -> list[str] | None:
    if texts.captions is not None:
        return [texts.captions[file.clip_id] for file in files]
    if not texts.choices:
        return None
    choices = np.stack([vectors[each] for each in texts.choices])
    return [
        texts.choices[row]
        for start in range(0, len(clip), 1000)
        for row in nearest_captions(clip[start : start + 1000], choices)
    ]
