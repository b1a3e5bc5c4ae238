"""Linear probe: a clip's mean audio and mean video token, and a linear classifier. Ours; it sees no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import Basic
from mgcl.methods.recogniser import Shapes, Training

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(Basic):
    """A linear map has no sizes of its own."""

    training: Training = field(default_factory=lambda: Training(learning_rate=1e-2))


def build(shapes: Shapes, _parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import Classifier
    from mgcl.methods.audio_visual._means import Means

    return Classifier(Means(), (shapes.audio + shapes.video,), shapes.classes)
