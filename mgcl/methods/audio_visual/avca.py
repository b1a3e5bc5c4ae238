"""AVCA: cross-attention of one audio and one video vector (Mercea et al. 2022, arXiv 2203.03598).

Adapted, as AV-DIFF's authors took it: a classifier on the video output and cross-entropy alone. It sees no time. One
transformer of two tokens stands for the two cross-attention branches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._sizes import Encoding, Head, Layers
from mgcl.methods.recogniser import Inputs, Shapes, Training

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parts of the model; the fields of the parts are its options."""

    encoding: Encoding = field(default_factory=Encoding)
    layers: Layers = field(default_factory=lambda: Layers("full", depth=1, change=0))
    head: Head = field(default_factory=Head)
    inputs: Inputs = field(default_factory=Inputs)
    training: Training = field(default_factory=Training)

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank."""
        return self.inputs.reads


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._mean_fusions import Avca

    trunk = Avca(shapes, parameters.encoding, parameters.layers)
    return classifier(trunk, parameters.encoding.width, shapes, parameters.head)
