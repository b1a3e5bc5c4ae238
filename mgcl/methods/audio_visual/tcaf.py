"""TCAF: cross-modal attention over time, and clips aligned with word vectors (Mercea et al. 2022, arXiv 2207.09966).

Adapted: scores are minus the distance to a class's words, and their softmax is calibrated; the published code
calibrates distances. The second substage trains both projections.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithWords
from mgcl.methods.audio_visual._sizes import Encoding, Head, Layers
from mgcl.methods.recogniser import Shapes

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithWords):
    """Parts of the model; the fields of the parts are its options."""

    encoding: Encoding = field(default_factory=Encoding)
    layers: Layers = field(default_factory=lambda: Layers("cross", change=0))
    head: Head = field(default_factory=Head)


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._aligned import tcaf
    from mgcl.methods.audio_visual._transformer import HybridTrunk

    trunk = HybridTrunk(shapes, parameters.encoding, parameters.layers)
    return tcaf(trunk, parameters.encoding.width, shapes, parameters.head)
