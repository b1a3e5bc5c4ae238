"""From audio to a feature bank: the only step that runs a backbone over a data set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from mgcl.backbones.backbone import Backbone
from mgcl.data.audio import load_clip
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import BackboneError, BankError
from mgcl.features.bank import FeatureBank, Floats
from mgcl.features.mel_statistics import mel_statistics
from mgcl.features.schema import Header
from mgcl.features.writer import write_bank
from mgcl.language.captions import nearest_captions
from mgcl.language.explanations import ClassText, explanations

_BATCH = 25


def extract(dataset: Dataset, backbone: Backbone, out: Path) -> FeatureBank:
    """Embed every clip, caption it from its audio alone, embed captions and class texts, and write the bank.

    Args:
        dataset: what to embed.
        backbone: what embeds it; it brings the captions that are chosen from.
        out: the bank's folder; must not exist.

    Raises:
        BankError: the folder exists, or a class has no written explanations.
        BackboneError: the backbone brings no captions.
        DataError: a file cannot be decoded; names it.
    """
    if out.exists():
        raise BankError(f"{out}: exists already; name another folder, or remove it first")
    classes = _class_texts(dataset)
    if not backbone.captions:
        raise BackboneError(f"{backbone.name} brings no captions, and a bank needs one a clip")
    clips, segments, statistics = _embed_files(dataset.files, backbone)
    choices = _read(backbone, backbone.captions)
    captions = nearest_captions(clips, choices)
    sentences = [sentence for each in classes.values() for sentence in each.explanations]
    return write_bank(
        out,
        Header(
            dataset=dataset.name,
            revision=dataset.revision,
            licence=dataset.licence,
            backbone=backbone.name,
            embedding_dim=backbone.embedding_dim,
            logit_scale=backbone.logit_scale,
            sample_rate=backbone.sample_rate,
            seconds=backbone.seconds,
            segments=backbone.segments,
        ),
        clip_ids=[file.clip_id for file in dataset.files],
        labels=[file.label for file in dataset.files],
        captions=[backbone.captions[row] for row in captions],
        folds=[file.fold for file in dataset.files],
        sources=[file.source for file in dataset.files],
        clip_embeddings=clips,
        segment_embeddings=segments,
        caption_embeddings=choices[captions],
        mel_statistics=statistics,
        classes=list(classes),
        prompts=[each.prompt for each in classes.values()],
        prompt_embeddings=_read(backbone, [each.prompt for each in classes.values()]),
        explanations=[each.explanations for each in classes.values()],
        explanation_embeddings=_read(backbone, sentences).reshape(len(classes), -1, backbone.embedding_dim),
    )


def _class_texts(dataset: Dataset) -> dict[str, ClassText]:
    known = explanations(dataset.name)
    missing = [label for label in dataset.classes if label not in known]
    if missing:
        raise BankError(f"{dataset.name}: no written explanations of {', '.join(missing)}")
    return {label: known[label] for label in dataset.classes}


def _embed_files(files: Sequence[AudioFile], backbone: Backbone) -> tuple[Floats, Floats, Floats]:
    """Clip embeddings, segment embeddings and mel statistics, in the files' order."""
    clips, segments, statistics = [], [], []
    for start in tqdm(range(0, len(files), _BATCH), desc="embedding clips", unit="clip", unit_scale=_BATCH):
        waveforms = np.stack([_waveform(file, backbone) for file in files[start : start + _BATCH]])
        features = backbone.embed_audio(torch.from_numpy(waveforms))
        clips.append(features.clip.numpy())
        segments.append(features.segments.numpy())
        statistics.append(mel_statistics(waveforms, backbone.sample_rate))
    return np.concatenate(clips), np.concatenate(segments), np.concatenate(statistics)


def _waveform(file: AudioFile, backbone: Backbone) -> NDArray[np.float32]:
    return load_clip(file.path, clip_id=file.clip_id, sample_rate=backbone.sample_rate, seconds=backbone.seconds)


def _read(backbone: Backbone, sentences: Sequence[str]) -> Floats:
    starts = range(0, len(sentences), _BATCH)
    return np.concatenate([backbone.embed_text(sentences[start : start + _BATCH]).numpy() for start in starts])
