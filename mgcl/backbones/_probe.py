"""Checks of a backbone's outputs on known input, before anything is embedded with it."""

import warnings
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from mgcl.backbones.backbone import Backbone, reads_text
from mgcl.errors import BackboneError, MgclWarning
from mgcl.records import logit_scale_fault

SENTENCES = ("a dog barks", "heavy rain falls on a roof", "a church bell rings", "an engine idles")
_SENTENCES_ALIKE = 0.9985
"""Mean cosine above which sentences count as alike. A published CLAP with this fault has 0.9993 (mteb #5069)."""
_CLIPS_ALIKE = 1 - 1e-7
"""Mean cosine above which clips count as alike: they differ by rounding alone.

The bound is tight because barely trained weights may place noise and silence close together.
"""
_USUAL_SCALE = 100.0
_LEVEL = 0.1

_Backbone = TypeVar("_Backbone", bound=Backbone)


def probed(backbone: _Backbone) -> _Backbone:
    """Check a backbone's logit scale and its outputs (``refuse_scale``, ``refuse_outputs``), and return the backbone.

    Raises:
        BackboneError: the logit scale is out of range; or the outputs are not finite, have another shape than the
            backbone states, or are the same for unlike input.
    """
    if reads_text(backbone):
        refuse_scale(backbone)
    refuse_outputs(backbone)
    return backbone


def refuse_outputs(backbone: Backbone) -> None:
    """Check a backbone's embeddings of four sentences, if it has a text side, a clip of noise and a silent clip.

    Raises:
        BackboneError: an embedding is not finite, has another shape than the backbone states, or is the same for
            unlike input.
    """
    texts = backbone.embed_text(SENTENCES) if reads_text(backbone) else None
    random = torch.Generator().manual_seed(0)
    noise = _LEVEL * torch.randn(round(backbone.seconds * backbone.sample_rate), generator=random)
    features = backbone.embed_audio(torch.stack([noise, torch.zeros_like(noise)]))
    d, n = backbone.embedding_dim, backbone.segments
    for what, given, shape in (
        ("sentences", texts, (len(SENTENCES), d)),
        ("clips", features.clip, (2, d)),
        ("segments", features.segments, (2, n, d)),
    ):
        if given is None:
            continue
        if given.shape != shape:
            raise BackboneError(
                f"{backbone.name}: gives {what} of shape {tuple(given.shape)}, not {shape}; choose other weights"
            )
        if not given.isfinite().all():
            raise BackboneError(f"{backbone.name}: embeds {what} as NaN or infinity; fetch its weights again")
    for what, given, alike in (
        ("four unlike sentences", texts, _SENTENCES_ALIKE),
        ("noise and silence", features.clip, _CLIPS_ALIKE),
    ):
        if given is not None and (mean := _mean_cosine(given)) > alike:
            raise BackboneError(
                f"{backbone.name}: embeds {what} as one (their mean cosine is {mean:.4f}), so it cannot tell "
                "classes apart; choose other weights"
            )


def refuse_scale(backbone: Backbone) -> None:
    """Check a backbone's logit scale. A scale above CLAP's usual cap raises a warning.

    Raises:
        BackboneError: the scale is out of range.
    """
    if fault := logit_scale_fault(backbone.logit_scale):
        raise BackboneError(f"{backbone.name}: its logit scale is {fault}; choose other weights")
    if backbone.logit_scale > _USUAL_SCALE * (1 + 1e-4):
        warnings.warn(
            f"{backbone.name}: its logit scale is {backbone.logit_scale:.1f}, where CLAP's is at most 100; it is used "
            "as it is",
            MgclWarning,
            stacklevel=3,
        )


def _mean_cosine(embeddings: Tensor) -> float:
    """Mean cosine over all pairs of different rows."""
    units = F.normalize(embeddings.double(), dim=-1)
    rows = len(units)
    return float((units @ units.mT).sum() - rows) / (rows * (rows - 1))
