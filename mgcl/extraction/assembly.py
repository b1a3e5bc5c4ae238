"""From finished shards to a bank; what is large is a file at every moment, so that memory does not grow with it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError
from mgcl.extraction.embedding import Embedded
from mgcl.extraction.plan import Facts, Shard
from mgcl.extraction.shards import left_out, read_clips, read_sentences
from mgcl.extraction.texts import Texts
from mgcl.features.bank import FeatureBank
from mgcl.features.columns import Floats
from mgcl.features.header import Header
from mgcl.features.writer import write_bank
from mgcl.language.captions import nearest_captions


def assemble(
    work: Path, shards: Sequence[Shard], dataset: Dataset, about: Facts, texts: Texts, out: Path
) -> FeatureBank:
    """Write the bank, clips in the data set's order.

    Raises:
        DataError: no clip could be decoded.
    """
    unreadable = {clip_id: reason for shard in shards for clip_id, reason in left_out(work, shard).items()}
    files = [file for file in dataset.files if file.clip_id not in unreadable]
    if not files:
        raise DataError(
            f"{dataset.name}: no clip can be decoded, the first because of {next(iter(unreadable.values()))}"
        )
    read = dict(read_sentences(work, tuple(shards)))
    labels = sorted({file.label for file in files})
    classes = [texts.classes[label] for label in labels]
    clip, segments, statistics = _gather(work, shards, files)
    captions = _captions(files, clip, texts, read)
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
            "clip_embedding": clip,
            "segment_embeddings": segments,
            "caption_embedding": None
            if captions is None
            else _vectors(work, "caption", (read[each] for each in captions), clip.shape),
            "mel_statistics": statistics,
        },
        {
            "label": labels,
            "prompt": [each.prompt for each in classes],
            "prompt_embedding": np.stack([read[each.prompt] for each in classes]),
            "explanations": [each.explanations for each in classes],
            "explanation_embeddings": np.stack([[read[each] for each in one.explanations] for one in classes]),
        },
        extraction={"weights": about.fingerprint, "left_out": unreadable},
    )


def _gather(work: Path, shards: Sequence[Shard], files: Sequence[AudioFile]) -> tuple[Floats, Floats, Floats]:
    """Clip embeddings, segment embeddings and mel statistics, in the files' order, each a mapped file."""
    row_of = {file.clip_id: row for row, file in enumerate(files)}
    first = next(each for each in _clips(work, shards) if each.clip_ids)
    names = ("clip", "segments", "mel_statistics")
    arrays = {name: _mapped(work, name, (len(files), *getattr(first, name).shape[1:])) for name in names}
    for each in _clips(work, shards):
        rows = [row_of[clip_id] for clip_id in each.clip_ids]
        for name, array in arrays.items():
            array[rows] = getattr(each, name)
    clip, segments, statistics = arrays.values()
    return clip, segments, statistics


def _clips(work: Path, shards: Sequence[Shard]) -> Iterator[Embedded]:
    return (read_clips(work, shard) for shard in shards if shard.files)


def _captions(files: Sequence[AudioFile], clip: Floats, texts: Texts, read: dict[str, Floats]) -> list[str] | None:
    if texts.captions is not None:
        return [texts.captions[file.clip_id] for file in files]
    if not texts.choices:
        return None
    choices = np.stack([read[each] for each in texts.choices])
    return [
        texts.choices[row]
        for start in range(0, len(clip), 1000)
        for row in nearest_captions(clip[start : start + 1000], choices)
    ]


def _vectors(work: Path, name: str, vectors: Iterator[Floats], shape: tuple[int, ...]) -> Floats:
    array = _mapped(work, name, shape)
    for row, vector in enumerate(vectors):
        array[row] = vector
    return array


def _mapped(work: Path, name: str, shape: tuple[int, ...]) -> Floats:
    mapped: Floats = np.lib.format.open_memmap(work / f"{name}.npy", mode="w+", dtype=np.float32, shape=shape)  # type: ignore[no-untyped-call]
    return mapped
