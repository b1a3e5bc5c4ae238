"""SLDG: temporal templates, learnt normal densities over a clip's time, sum its tokens (Bo et al. 2020).

A reconstruction from what AV-DIFF's authors write of it: the paper's text could not be had. Adapted, ours: AV-DIFF's
head. A template's place and width are shares of the clip's length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._sizes import Encoding, Head
from mgcl.methods.recogniser import Inputs, Shapes, Training
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parts of the model; the fields of the parts are its options."""

    encoding: Encoding = field(default_factory=Encoding)
    templates: int = 4
    """Number of templates per modality."""
    head: Head = field(default_factory=Head)
    inputs: Inputs = field(default_factory=Inputs)
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("templates",))

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank."""
        return self.inputs.reads


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._templates import Sldg

    trunk = Sldg(shapes, parameters.encoding, parameters.templates)
    return classifier(trunk, 2 * parameters.encoding.width, shapes, parameters.head)
