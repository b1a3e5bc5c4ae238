"""Attention Fusion: one vector per modality, weighted per dimension (Fayek & Kumar 2020, arXiv 2006.01595).

Adapted, ours: the paper weighs the classes' sigmoid outputs; here the vectors are weighed, and AV-DIFF's head follows.
It sees no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithHead
from mgcl.methods.recogniser import Shapes

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithHead):
    """Parts of the model; the fields of the parts are its options."""


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._mean_fusions import AttentionFusion

    trunk = AttentionFusion(shapes, parameters.encoding)
    return classifier(trunk, parameters.encoding.width, shapes, parameters.head)
