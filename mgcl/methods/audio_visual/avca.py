"""AVCA: cross-attention of one audio and one video vector (Mercea et al. 2022, arXiv 2203.03598).

Adapted, as AV-DIFF's authors took it: a classifier on the video output and cross-entropy alone. It sees no time. One
transformer of two tokens stands for the two cross-attention branches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithHead
from mgcl.methods.audio_visual._sizes import Layers
from mgcl.methods.recogniser import Shapes

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithHead):
    """Parts of the model; the fields of the parts are its options."""

    layers: Layers = field(default_factory=lambda: Layers("full", depth=1, change=0))


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._mean_fusions import Avca

    trunk = Avca(shapes, parameters.encoding, parameters.layers)
    return classifier(trunk, parameters.encoding.width, shapes, parameters.head)
