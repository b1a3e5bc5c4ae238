"""Latent vectors that read tokens by cross-attention: Perceiver and Hierarchical Perceiver."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mgcl.methods.audio_visual._blocks import Attend, Geglu, SelfBlock, together
from mgcl.methods.audio_visual._sizes import Encoding, Heads
from mgcl.methods.audio_visual._tokens import Encoders
from mgcl.methods.recogniser import Clips, Shapes


class GroupBlock(nn.Module):
    """Groups of latents: each group reads its own group of places, then its latents attend to each other.

    With one group it is a block of Perceiver.
    """

    def __init__(self, width: int, groups: int, latents: int, selves: int, sizes: Heads) -> None:
        super().__init__()
        self.groups = groups
        self.latents = nn.Parameter(torch.randn(groups * latents, width))
        self.read = Attend(width, replace(sizes, heads=1))
        self.feed_forward = Geglu(width, sizes.dropout)
        self.selves = nn.ModuleList([SelfBlock(width, sizes) for _ in range(selves)])

    def forward(
        self, x: Float[Tensor, "b n d"], present: Bool[Tensor, "b n"], latents: Float[Tensor, "b l d"] | None = None
    ) -> Float[Tensor, "b l d"]:
        """Read a sequence.

        Args:
            x: the sequence.
            present: places that hold something. A clip's places are divided into groups of one length.
            latents: what reads; None: the block's own learnt latents.
        """
        latents = self.latents.expand(len(x), -1, -1) if latents is None else latents
        own = torch.arange(latents.shape[1], device=x.device) * self.groups // latents.shape[1]
        mask = (own[:, None] == group_of(present, self.groups)[:, None]) & present[:, None]
        latents = self.feed_forward(self.read(latents, x, mask))
        within = (own[:, None] == own).expand(len(x), -1, -1)
        for block in self.selves:
            latents = block(latents, within)
        return latents


def group_of(present: Bool[Tensor, "b n"], groups: int) -> Int[Tensor, "b n"]:
    """Group of each place: a clip's places that hold something are divided alike, whatever the padding."""
    rank = present.cumsum(1) - 1
    return (rank * groups).div(present.sum(1, keepdim=True).clamp(min=1), rounding_mode="floor")


class Perceiver(nn.Module):
    """Latents that read all tokens several times; returns their mean."""

    def __init__(self, shapes: Shapes, encoding: Encoding, latents: int, depth: int, sizes: Heads) -> None:
        super().__init__()
        self.encoders = Encoders(shapes, encoding)
        self.blocks = nn.ModuleList([GroupBlock(encoding.width, 1, latents, 1, sizes) for _ in range(depth)])
        for block in self.blocks[1:]:
            del block.latents  # only the first block begins with latents of its own

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Read the tokens of both modalities."""
        x, present = together(*self.encoders(clips)), together(clips.audio.present, clips.video.present)
        latents = None
        for block in self.blocks:
            latents = block(x, present, latents)
        return cast(Tensor, latents).mean(1)


class Hip(nn.Module):
    """Blocks of groups of latents, each of which reads the latents of the block before; returns the last ones' mean."""

    def __init__(self, shapes: Shapes, encoding: Encoding, blocks: Sequence[tuple[int, int]], sizes: Heads) -> None:
        super().__init__()
        self.encoders = Encoders(shapes, encoding)
        self.blocks = nn.ModuleList(
            [GroupBlock(encoding.width, groups, latents, 2, sizes) for groups, latents in blocks]
        )

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Read [audio; video]."""
        x, present = together(*self.encoders(clips)), together(clips.audio.present, clips.video.present)
        for block in self.blocks:
            x = block(x, present)
            present = torch.ones_like(x[..., 0], dtype=torch.bool)
        return x.mean(1)
