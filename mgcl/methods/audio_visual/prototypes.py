"""Prototypes: the class whose clips' mean is nearest to a clip's mean tokens (Snell et al. 2017, Eqs. 1-2).

Ours; nothing is trained, and time is not seen. A clip is the unit vector of its mean audio token beside that of its
mean video token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import Basic
from mgcl.methods.recogniser import Shapes, Training
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from torch import nn

VERSION = 1
FIXED = ("base_epochs", "novel_epochs", "batches")
"""Options that published settings leave as they are: nothing is trained."""


@dataclass(frozen=True)
class Parameters(Basic):
    """What there is to choose without training."""

    scale: float = 10.0
    """Multiplier of minus the squared distance, whose softmax is calibrated."""
    training: Training = field(default_factory=lambda: Training(base_epochs=1, novel_epochs=1, batches=0))

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("scale",))


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._means import Prototypes

    return Prototypes(shapes, parameters.scale)
