"""ClipClap-GZSL: both towers' mean features, aligned with words by plain layers (Kurzendörfer et al. 2024, 2404.06309).

Adapted: AV-DIFF's training in two substages, of which the second freezes the clips' encoder; a class's words are the
bank's word vector, where the paper joins the text features of CLIP and of CLAP; softmax of minus the distance is
calibrated. It sees no time. With features of other towers than CLIP and CLAP it shows what those are worth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithWords
from mgcl.methods.audio_visual._sizes import Head, check_dropout
from mgcl.methods.recogniser import Shapes
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithWords):
    """Parts of the model; the fields of the parts are its options."""

    width: int = 64
    """Dimension of encoded clips, and of encoded words."""
    encoder_dropout: float = 0.1
    """After both encoders."""
    head: Head = field(default_factory=Head)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("width",))
        check_dropout(self.encoder_dropout)


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._aligned import clip_clap

    return clip_clap(shapes, parameters.width, parameters.encoder_dropout, parameters.head)
