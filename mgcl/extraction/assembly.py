"""Assemble finished shards into a bank. Large arrays are mapped files: memory does not grow with the data set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mgcl.backbones.backbone import Facts
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import BackboneError, DataError
from mgcl.events import Event
from mgcl.extraction.texts import Texts
from mgcl.extraction.windows import facts_in
from mgcl.extraction.workbench import Workbench
from mgcl.features.bank import FeatureBank
from mgcl.features.columns import Floats, Numbers, Ragged, as_float32
from mgcl.features.header import Header
from mgcl.features.writer import write_bank
from mgcl.language.captions import nearest_captions
from mgcl.window import Window

_STORED = {"clip": "clip_embedding", "segments": "segment_embeddings", "mel_statistics": "mel_statistics"}
"""Name of an array in a shard -> the bank's column that it becomes."""


def assemble(
    bench: Workbench, dataset: Dataset, about: Facts, texts: Texts, out: Path, *, half: bool = False
) -> FeatureBank:
    """Write the bank of an extraction whose shards are all finished. Clips are in the data set's order.

    Args:
        bench: workbench with the finished shards.
        dataset: data set that was embedded.
        about: facts about the backbone.
        texts: sentences on clips and classes.
        out: folder of the bank; must not exist.
        half: whether segments are stored in float16.

    Raises:
        DataError: no clip could be decoded.
        BackboneError: a segment's number is too large for float16.
    """
    left_out, files = bench.left_out(), decoded(bench, dataset)
    vectors, about = bench.sentences(), facts_in(about, dataset.window)
    clips = _gather(bench, files, half=half)
    captions = _captions(files, as_float32(clips["clip_embedding"]), texts, vectors)
    if captions is not None:
        array = clips["caption_embedding"] = bench.array("caption", clips["clip_embedding"].shape)
        for row, caption in enumerate(captions):
            array[row] = vectors[caption]
    return write_bank(
        out,
        header_of(dataset, about),
        {**stated(files, dataset.window), "caption": captions, **_retrieval(files, texts, vectors), **clips},
        classes_of(replace(dataset, files=tuple(files)).classes, texts, vectors),
        extraction={"weights": about.fingerprint, "left_out": left_out},
    )


def header_of(dataset: Dataset, about: Facts) -> Header:
    """Header of the bank of a data set.

    Args:
        dataset: the data set; its files are not looked at.
        about: facts about the backbone in the data set's window (``mgcl.extraction.windows.facts_in``).
    """
    return Header(
        dataset=dataset.name,
        revision=dataset.revision,
        licence=dataset.licence,
        backbone=about.name,
        embedding_dim=about.embedding_dim,
        logit_scale=about.logit_scale,
        sample_rate=about.sample_rate,
        seconds=about.segments * about.segment_seconds,
        segments=about.segments,
        window=dataset.window,
        prompt=dataset.prompt,
        mean_over_folds=dataset.mean_over_folds,
    )


def stated(files: Sequence[AudioFile], window: Window | None = None) -> dict[str, list[Any] | None]:
    """Columns of clips that the data set states, by stored name; None: some clip has no value.

    Args:
        files: the bank's clips.
        window: window of the data set's protocol, which events are cut to.
    """
    events = [file.events for file in files]
    end = window.seconds if window else float("inf")
    columns: dict[str, list[Any]] = {
        "label": [file.label or None for file in files],
        "labels": [file.labels for file in files],
        "events": [None if each is None else _within(each, end) for each in events],
        "split": [file.split for file in files],
    }
    return {
        "clip_id": [file.clip_id for file in files],
        "fold": [file.fold for file in files],
        "source": [file.source for file in files],
        **{name: None if None in values else values for name, values in columns.items()},
    }


def _within(events: Sequence[Event], end: float) -> list[Event]:
    """The events that begin before ``end``, in seconds, cut off there."""
    return [replace(each, offset=min(each.offset, end)) for each in events if each.onset < end]


def _retrieval(files: Sequence[AudioFile], texts: Texts, vectors: Mapping[str, Floats]) -> dict[str, Any]:
    """Columns of clips with several captions each; empty: the data set has none, or they are not embedded."""
    if not all(file.clip_id in texts.several for file in files):
        return {}
    return {
        "captions": [file.captions for file in files],
        "caption_embeddings": Ragged.of([np.stack([vectors[each] for each in file.captions]) for file in files]),
    }


def classes_of(labels: Sequence[str], texts: Texts, vectors: Mapping[str, Floats]) -> dict[str, Any]:
    """Columns of classes, by name. A data set of captions alone has no class, and its bank no sentence on one."""
    if not labels or not texts.classes:
        return {"label": labels}
    classes = [texts.classes[label] for label in labels]
    return {
        "label": labels,
        "prompt": [each.prompt for each in classes],
        "prompt_embedding": np.stack([vectors[each.prompt] for each in classes]),
        "explanations": [each.explanations for each in classes],
        "explanation_embeddings": np.stack([[vectors[each] for each in one.explanations] for one in classes]),
        **texts.prompt_columns(labels, vectors),
    }


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


def _gather(bench: Workbench, files: Sequence[AudioFile], *, half: bool) -> dict[str, Numbers]:
    """Gather the shards' arrays into the bank's columns of vectors, in the files' order. Columns are mapped files."""
    row_of = {file.clip_id: row for row, file in enumerate(files)}
    first = next(each for each in bench.clips() if each.clip_ids)
    sizes = {name: (len(files), *getattr(first, name).shape[1:]) for name in _STORED}
    arrays = {name: bench.array(name, size, half=half and name == "segments") for name, size in sizes.items()}
    for each in bench.clips():
        if half:
            refuse_unfit_for_half(each.segments)
        rows = [row_of[clip_id] for clip_id in each.clip_ids]
        for name, array in arrays.items():
            array[rows] = getattr(each, name)
    return {_STORED[name]: array for name, array in arrays.items()}


def refuse_unfit_for_half(segments: Floats) -> None:
    """Refuse numbers that float16 cannot hold; smaller ones lose digits, from the fourth on.

    Raises:
        BackboneError: names the largest number.
    """
    largest = float(np.abs(segments).max(initial=0))
    if largest > np.finfo(np.float16).max:
        raise BackboneError(f"`float16`: a segment has the number {largest:.6g}, too large for it; leave it out")


def _captions(files: Sequence[AudioFile], clip: Floats, texts: Texts, vectors: dict[str, Floats]) -> list[str] | None:
    if texts.captions is not None:
        return [texts.captions[file.clip_id] for file in files]
    return nearest_of(clip, texts.choices, vectors) if texts.choices else None


def nearest_of(clip: Floats, choices: Sequence[str], vectors: Mapping[str, Floats]) -> list[str]:
    """The nearest candidate caption of each clip.

    Args:
        clip: clip embeddings, shape (clips, d).
        choices: candidate captions.
        vectors: caption -> its embedding.
    """
    embedded = np.stack([vectors[each] for each in choices])
    return [
        choices[row]
        for start in range(0, len(clip), 1000)
        for row in nearest_captions(clip[start : start + 1000], embedded)
    ]
