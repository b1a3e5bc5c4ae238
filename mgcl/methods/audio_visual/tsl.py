"""TSL: windows of a clip, a GAN of their features conditioned on words, and a linear classifier (Xian et al. 2021).

The published code has no GAN, so that part is a reconstruction. Adapted, ours: a window is its mean tokens, and a
clip's score is its windows' mean probability (arXiv 2007.04755).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithWords
from mgcl.methods.audio_visual._sizes import Adversary, Encoding, Windows
from mgcl.methods.recogniser import Shapes

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithWords):
    """Parts of the model; the fields of the parts are its options."""

    encoding: Encoding = field(default_factory=Encoding)
    windows: Windows = field(default_factory=Windows)
    adversary: Adversary = field(default_factory=Adversary)


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._gan import Gan
    from mgcl.methods.audio_visual._segments import SegmentClassifier, Segments

    width = parameters.encoding.width
    trunk = Segments(shapes, parameters.encoding, parameters.windows)
    model = SegmentClassifier(trunk, (width,), shapes.classes)
    model.generator = Gan(width, shapes.words, parameters.adversary)
    return model
