"""Perceiver: latent vectors that read all tokens by cross-attention (Jaegle et al. 2021, arXiv 2103.03206).

Adapted, ours: AV-DIFF's tokens and head. Latents read with one head, blocks are not tied, and their mean is classified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithAttention
from mgcl.methods.recogniser import Shapes
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithAttention):
    """Parts of the model; the fields of the parts are its options."""

    latents: int = 8
    """Number of latent vectors."""
    depth: int = 2
    """Number of times that they read the tokens."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("latents", "depth"))


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._latents import Perceiver

    trunk = Perceiver(shapes, parameters.encoding, parameters.latents, parameters.depth, parameters.attending)
    return classifier(trunk, parameters.encoding.width, shapes, parameters.head)
