"""Multimodal bottleneck transformer: two transformers share a few tokens (Nagrani et al. 2021, arXiv 2107.00135).

Adapted, ours: AV-DIFF's tokens and head on the mean of both classification tokens, where the paper averages logits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithAttention
from mgcl.methods.audio_visual._sizes import Sharing
from mgcl.methods.recogniser import Shapes

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithAttention):
    """Parts of the model; the fields of the parts are its options."""

    sharing: Sharing = field(default_factory=Sharing)


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._token_fusions import Mbt

    trunk = Mbt(shapes, parameters.encoding, parameters.sharing, parameters.attending)
    return classifier(trunk, parameters.encoding.width, shapes, parameters.head)
