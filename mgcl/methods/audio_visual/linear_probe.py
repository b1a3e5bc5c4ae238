"""Linear probe: a clip's mean audio and mean video token, and a linear classifier. Ours; it sees no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.recogniser import Inputs, Shapes, Training

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """A linear map has no sizes of its own."""

    inputs: Inputs = field(default_factory=Inputs)
    training: Training = field(default_factory=lambda: Training(learning_rate=1e-2))

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank."""
        return self.inputs.reads


def build(shapes: Shapes, _parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import Classifier
    from mgcl.methods.audio_visual._means import Means

    return Classifier(Means(), (shapes.audio + shapes.video,), shapes.classes)
