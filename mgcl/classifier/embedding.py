"""The embeddings of sounds and of sentences on them, as a backbone makes them."""

import functools
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgcl.backbones.backbone import Backbone
from mgcl.catalogue import load
from mgcl.classifier.sounds import Sound
from mgcl.extraction.embedding import embed_sentences
from mgcl.language.captions import nearest_captions
from mgcl.language.explanations import ClassText
from mgcl.methods.method import ClipFeatures
from mgcl.transport.cost import unit


@functools.lru_cache(maxsize=2)
def loaded_backbone(name: str, weights: str | None, device: str) -> Backbone:
    """A backbone, loaded once per process.

    Raises:
        MgclError: there is none of that name, or its weights cannot be loaded.
    """
    loaded: Backbone = load("backbone", name).load(weights, device)
    return loaded


@functools.lru_cache(maxsize=2)
def caption_choices(name: str, weights: str | None, device: str) -> Float[Tensor, "k d"] | None:
    """The sentences that a backbone brings to caption clips with, unit vectors; None: it brings none."""
    backbone = loaded_backbone(name, weights, device)
    return unit(torch.from_numpy(embed_sentences(backbone.captions, backbone))) if backbone.captions else None


def embedded(
    sounds: Sequence[Sound], backbone: Backbone, captions: Sequence[str] | None, choices: Float[Tensor, "k d"] | None
) -> tuple[ClipFeatures, Sequence[str] | None]:
    """Embed clips in one batch, with their captions.

    Args:
        sounds: the clips.
        backbone: embeds them.
        captions: one per clip; None: the nearest of ``choices``.
        choices: the sentences of ``caption_choices``; None: clips without captions stay without.

    Returns:
        The embeddings, unit vectors, and the captions, if any.
    """
    features = backbone.embed_audio(torch.from_numpy(np.stack([sound.waveform for sound in sounds])))
    clips = ClipFeatures(unit(features.segments), unit(features.clip), None)
    if captions is not None:
        return replace(clips, caption=embedded_sentences(captions, backbone)), captions
    if choices is None:
        return clips, None
    rows = nearest_captions(clips.clip.numpy(), choices.numpy())
    return replace(clips, caption=choices[rows]), [backbone.captions[row] for row in rows]


def embedded_sentences(sentences: Sequence[str], backbone: Backbone) -> Float[Tensor, "k d"]:
    """Sentences, unit vectors; each by itself, so that none depends in its last digits on what stands beside it."""
    return unit(torch.cat([backbone.embed_text([sentence]) for sentence in sentences]))


def embedded_classes(
    texts: Sequence[ClassText], backbone: Backbone
) -> tuple[Float[Tensor, "way d"], Float[Tensor, "way n_e d"]]:
    """Prompts and explanations of classes that have as many of them; unit vectors."""
    prompts = embedded_sentences([text.prompt for text in texts], backbone)
    return prompts, torch.stack([embedded_sentences(text.explanations, backbone) for text in texts])


def joined(parts: Sequence[ClipFeatures]) -> ClipFeatures:
    """Clips one after the other; all have captions, or none has."""
    captions = [part.caption for part in parts if part.caption is not None]
    return ClipFeatures(
        torch.cat([part.segments for part in parts]),
        torch.cat([part.clip for part in parts]),
        torch.cat(captions) if captions else None,
    )


def in_rows(clips: ClipFeatures, rows: Tensor) -> ClipFeatures:
    """Some of the clips, with all that is known of them, in the order of their rows."""
    columns: dict[str, Any] = {field.name: getattr(clips, field.name) for field in fields(clips)}
    return replace(clips, **{name: value[rows] for name, value in columns.items() if value is not None})
