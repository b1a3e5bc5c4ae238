"""ProtoGan: a GAN conditioned on class prototypes synthesises clips (Dwivedi et al. 2019, arXiv 1909.07945).

A reconstruction from the paper, because no code was at hand. Adapted, ours: a clip is its mean tokens, and AV-DIFF's
head classifies real and synthesised clips. A novel class's prototype is of its shots. It sees no time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import Basic
from mgcl.methods.audio_visual._sizes import Adversary, Head
from mgcl.methods.recogniser import Shapes
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(Basic):
    """Parts of the model; the fields of the parts are its options."""

    prototype: int = 32
    """Dimension of a prototype after the transfer network."""
    adversary: Adversary = field(default_factory=Adversary)
    head: Head = field(default_factory=Head)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("prototype",))


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._protogan import ProtoGan

    return ProtoGan(shapes, parameters.prototype, parameters.adversary, parameters.head)
