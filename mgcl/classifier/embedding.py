"""Embedding of sounds, captions, prompts and explanations with a backbone."""

import functools
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgcl.backbones.backbone import Backbone, reads_text
from mgcl.catalogue import load
from mgcl.classifier.sounds import Sound
from mgcl.extraction.embedding import embed_sentences
from mgcl.language.captions import nearest_captions
from mgcl.language.explanations import ClassText
from mgcl.methods.method import ClipFeatures
from mgcl.transport.cost import unit


@functools.lru_cache(maxsize=2)
def loaded_backbone(name: str, weights: str | None, device: str) -> Backbone:
    """Load a backbone; the two used last are reused within a process.

    Raises:
        MgclError: no backbone has that name, or its weights cannot be loaded.
    """
    loaded: Backbone = load("backbone", name).load(weights, device)
    return loaded


@functools.lru_cache(maxsize=2)
def caption_choices(name: str, weights: str | None, device: str) -> Float[Tensor, "k d"] | None:
    """Embeddings of a backbone's candidate captions, unit vectors of shape (k, d); None if the backbone has none."""
    backbone = loaded_backbone(name, weights, device)
    return unit(torch.from_numpy(embed_sentences(backbone.captions, backbone))) if backbone.captions else None


def embedded(
    sounds: Sequence[Sound], backbone: Backbone, captions: Sequence[str] | None, choices: Float[Tensor, "k d"] | None
) -> tuple[ClipFeatures, Sequence[str] | None]:
    """Embed clips in one batch, with their captions.

    Args:
        sounds: the clips.
        backbone: the backbone that embeds them.
        captions: one per clip; None: each clip takes the nearest of ``choices``.
        choices: candidate captions from ``caption_choices``; None: clips without captions stay without.

    Returns:
        The embeddings as unit vectors, and the captions, or None if the clips have none.
    """
    features = backbone.embed_audio(torch.from_numpy(np.stack([sound.waveform for sound in sounds])))
    clips = ClipFeatures(unit(features.segments), unit(features.clip), None)
    if captions is not None:
        return replace(clips, caption=embedded_sentences(captions, backbone)), captions
    return captioned(clips, backbone, choices)


def captioned(
    clips: ClipFeatures, backbone: Backbone, choices: Float[Tensor, "k d"] | None
) -> tuple[ClipFeatures, Sequence[str] | None]:
    """Caption clips by the nearest of the backbone's captions. Arguments and result as in ``embedded``."""
    if choices is None:
        return clips, None
    rows = nearest_captions(clips.clip.numpy(), choices.numpy())
    return replace(clips, caption=choices[rows]), [backbone.captions[row] for row in rows]


def embedded_sentences(sentences: Sequence[str], backbone: Backbone) -> Float[Tensor, "k d"]:
    """Embed sentences as unit vectors, shape (k, d).

    Sentences are embedded one at a time: in a batch, the last digits would depend on the other sentences.
    """
    return unit(torch.cat([backbone.embed_text([sentence]) for sentence in sentences]))


def embedded_classes(
    texts: Sequence[ClassText], backbone: Backbone
) -> tuple[Float[Tensor, "way d"], Float[Tensor, "way n_e d"]]:
    """Embed the prompts and the explanations of classes as unit vectors; all classes have n_e explanations.

    If the backbone has no text side, the vectors hold no numbers: d is 0.
    """
    if not reads_text(backbone):
        return torch.empty(len(texts), 0), torch.empty(len(texts), len(texts[0].explanations), 0)
    prompts = embedded_sentences([text.prompt for text in texts], backbone)
    return prompts, torch.stack([embedded_sentences(text.explanations, backbone) for text in texts])


def joined(parts: Sequence[ClipFeatures]) -> ClipFeatures:
    """Concatenate clips. Either all of them have captions or none has."""
    captions = [part.caption for part in parts if part.caption is not None]
    return ClipFeatures(
        torch.cat([part.segments for part in parts]),
        torch.cat([part.clip for part in parts]),
        torch.cat(captions) if captions else None,
    )


def in_rows(clips: ClipFeatures, rows: Tensor) -> ClipFeatures:
    """The clips in these rows, with all their features, in the order of ``rows``."""
    columns: dict[str, Any] = {field.name: getattr(clips, field.name) for field in fields(clips)}
    places = rows.numpy()  # numpy would take a tensor of one number for an integer
    return replace(
        clips,
        **{
            name: value[places if isinstance(value, np.ndarray) else rows]
            for name, value in columns.items()
            if value is not None
        },
    )
