"""Hierarchical Perceiver: groups of latents read groups of tokens, then of latents (Carreira et al. 2022, 2202.10890).

A reconstruction from the paper, because no code was at hand. Adapted, ours: AV-DIFF's tokens, whose times take the
place of learnt positions, and its head.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.audio_visual._parameters import WithAttention
from mgcl.methods.recogniser import Shapes

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters(WithAttention):
    """Parts of the model; the fields of the parts are its options."""

    blocks: str = "4x4 2x4 1x8"
    """Groups x latents per group of each block."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*( [1-9]\d*x[1-9]\d*)*", self.blocks):
            raise ValueError(f"blocks must be like '4x8 2x8 1x16', got {self.blocks!r}")

    @property
    def groups(self) -> list[tuple[int, int]]:
        """Groups, and latents per group, of each block."""
        pairs = [each.split("x") for each in self.blocks.split()]
        return [(int(groups), int(latents)) for groups, latents in pairs]


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._latents import Hip

    trunk = Hip(shapes, parameters.encoding, parameters.groups, parameters.attending)
    return classifier(trunk, parameters.encoding.width, shapes, parameters.head)
