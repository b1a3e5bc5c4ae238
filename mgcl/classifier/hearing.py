"""What a backbone makes of sounds and of the sentences on them."""

import functools
from collections.abc import Sequence
from dataclasses import replace

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
from mgcl.transport import unit


@functools.lru_cache(maxsize=2)
def backbone(name: str, weights: str | None, device: str) -> Backbone:
    """A backbone, loaded once a process.

    Raises:
        MgclError: there is none of that name, or its weights cannot be loaded.
    """
    loaded: Backbone = load("backbone", name).load(weights, device)
    return loaded


@functools.lru_cache(maxsize=2)
def choices(name: str, weights: str | None, device: str) -> Float[Tensor, "k d"] | None:
    """The sentences that a backbone brings to caption clips with, unit vectors; None: it brings none."""
    ear = backbone(name, weights, device)
    return unit(torch.from_numpy(embed_sentences(ear.captions, ear))) if ear.captions else None


def hear(
    sounds: Sequence[Sound], ear: Backbone, captions: Sequence[str] | None, choices: Float[Tensor, "k d"] | None
) -> tuple[ClipFeatures, Sequence[str] | None]:
    """Clips in one batch, with their captions: as given, else the nearest of ``choices``, else none."""
    heard = ear.embed_audio(torch.from_numpy(np.stack([sound.waveform for sound in sounds])))
    clips = ClipFeatures(unit(heard.segments), unit(heard.clip), None)
    if captions is not None:
        return replace(clips, caption=read_each(captions, ear)), captions
    if choices is None:
        return clips, None
    rows = nearest_captions(clips.clip.numpy(), choices.numpy())
    return replace(clips, caption=choices[rows]), [ear.captions[row] for row in rows]


def read_each(sentences: Sequence[str], ear: Backbone) -> Float[Tensor, "k d"]:
    """Sentences, unit vectors; each by itself, so that none depends in its last digits on what stands beside it."""
    return unit(torch.cat([ear.embed_text([sentence]) for sentence in sentences]))


def read_classes(
    texts: Sequence[ClassText], ear: Backbone
) -> tuple[Float[Tensor, "way d"], Float[Tensor, "way n_e d"]]:
    """Prompts and explanations of classes that have as many of them; unit vectors."""
    prompts = read_each([text.prompt for text in texts], ear)
    return prompts, torch.stack([read_each(text.explanations, ear) for text in texts])


def joined(parts: Sequence[ClipFeatures]) -> ClipFeatures:
    """One after the other; all have captions, or none has."""
    captions = [part.caption for part in parts if part.caption is not None]
    return ClipFeatures(
        torch.cat([part.segments for part in parts]),
        torch.cat([part.clip for part in parts]),
        torch.cat(captions) if captions else None,
    )


def some(clips: ClipFeatures, rows: Tensor) -> ClipFeatures:
    """Those in these rows."""
    return ClipFeatures(clips.segments[rows], clips.clip[rows], None if clips.caption is None else clips.caption[rows])
