"""SLDG: temporal templates, learnt normal densities over a clip's time, sum its tokens (Bo et al. 2020).

A reconstruction from what AV-DIFF's authors write of it: the paper's text could not be had. Adapted, ours: AV-DIFF's
head. A template's place and width are shares of the clip's length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithHead
from mgcl.methods.recogniser import Shapes
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithHead):
    """Parts of the model; the fields of the parts are its options."""

    templates: int = 4
    """Number of templates per modality."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("templates",))


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._templates import Sldg

    trunk = Sldg(shapes, parameters.encoding, parameters.templates)
    return classifier(trunk, 2 * parameters.encoding.width, shapes, parameters.head)
