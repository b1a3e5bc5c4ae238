"""The tiny model's towers: convolutions and attention for log-mel spectrograms, a small transformer for text."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

_CHANNELS = (16, 32, 64, 128)


class AudioTower(nn.Module):
    """Log-mel -> frames: four halvings in time and frequency, then attention over time.

    Args:
        mels: number of mel bands, a multiple of 16.
        width: length of a frame's vector.
        frames: number of frames per clip.
        local: whether the last block passes values on instead of attending, so that a frame describes its own time
            (MGA-CLAP's locality-aware block).
        mlp: whether that block has an MLP, if it passes values on; the published one has not.
    """

    def __init__(self, mels: int, width: int, frames: int, *, local: bool, mlp: bool = True) -> None:
        super().__init__()
        blocks, channels = [], 1
        for index, wider in enumerate(_CHANNELS):
            blocks += [_convolution(channels, wider, stride=2)]
            blocks += [_convolution(wider, wider, stride=1)] if index else []
            channels = wider
        self.convolutions = nn.Sequential(*blocks)
        self.flatten = nn.Linear(channels * mels // 16, width)
        self.position = nn.Parameter(0.02 * torch.randn(frames, width))
        self.blocks = nn.ModuleList([Block(width), Block(width), Block(width, local=local, mlp=mlp or not local)])

    def forward(self, log_mel: Float[Tensor, "b time mels"]) -> Float[Tensor, "b n width"]:
        """Return one frame per sixteen steps of the spectrogram."""
        maps = self.convolutions(log_mel.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        frames = self.flatten(maps.permute(0, 2, 1, 3).flatten(2)) + self.position
        for block in self.blocks:
            frames = block(frames)
        return cast("Tensor", frames)


class TextTower(nn.Module):
    """Token ids -> word vectors.

    Args:
        vocabulary: number of different tokens.
        width: length of a word's vector.
        longest: largest number of tokens in a sentence.
    """

    def __init__(self, vocabulary: int, width: int, longest: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.02 * torch.randn(longest, width))
        self.blocks = nn.ModuleList([Block(width), Block(width)])

    def forward(self, tokens: Int[Tensor, "b m"], present: Bool[Tensor, "b m"]) -> Float[Tensor, "b m width"]:
        """Return one vector per token. ``present`` is False for padding."""
        words = self.tokens(tokens) + self.position[: tokens.shape[1]]
        for block in self.blocks:
            words = block(words, present)
        return cast("Tensor", words)


class Block(nn.Module):
    """Pre-norm transformer block. A local block has the value path alone: no position attends to another.

    Without an MLP the block adds the normalised values themselves, as MGA-CLAP's last block does.
    """

    def __init__(self, width: int, *, heads: int = 4, local: bool = False, mlp: bool = True) -> None:
        super().__init__()
        self.heads, self.local = heads, local
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key = None if local else nn.Linear(width, 2 * width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        wider = (nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) if mlp else ()
        self.mlp = nn.Sequential(*wider)  # without layers it is the identity

    def forward(self, x: Float[Tensor, "b n width"], present: Bool[Tensor, "b n"] | None = None) -> Tensor:
        """Return a tensor of the shape of ``x``. No position attends to one where ``present`` is False."""
        normed = self.before_attention(x)
        value = self.value(normed)
        if self.query_key is not None:
            parts = [*self.query_key(normed).chunk(2, dim=-1), value]
            query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
            scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
            if present is not None:
                scores = scores.masked_fill(~present[:, None, None, :], -torch.inf)
            value = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        x = x + self.out(value)
        return cast("Tensor", x + self.mlp(self.before_mlp(x)))


def _convolution(channels: int, wider: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, wider, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(wider),
        nn.ReLU(inplace=True),
    )
