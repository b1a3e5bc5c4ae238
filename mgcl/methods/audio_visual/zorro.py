"""Zorro: masked attention keeps each modality's tokens free of the other (Recasens et al. 2023, arXiv 2301.09595).

Adapted, ours: AV-DIFF's tokens and its head on the mean of the fusion tokens, as AV-DIFF's authors took it.
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

    fusion_tokens: int = 4
    depth: int = 3
    """Number of layers."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("fusion_tokens", "depth"))


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._token_fusions import Zorro

    trunk = Zorro(shapes, parameters.encoding, parameters.fusion_tokens, parameters.depth, parameters.attending)
    return classifier(trunk, parameters.encoding.width, shapes, parameters.head)
