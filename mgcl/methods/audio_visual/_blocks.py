"""Pre-norm attention blocks with a norm of their own before attention and before the MLP, as in Perceiver and Zorro."""

from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._layers import dropout
from mgcl.methods.audio_visual._sizes import Heads
from mgcl.methods.audio_visual._transformer import MultiHead


class Attend(nn.Module):
    """x plus its attention to a context. A place that may attend to nothing stays as it is."""

    def __init__(self, width: int, sizes: Heads, *, bias: bool = True) -> None:
        super().__init__()
        self.norm, self.norm_context = nn.LayerNorm(width, bias=bias), nn.LayerNorm(width, bias=bias)
        self.attention, self.dropout = MultiHead(width, sizes.heads, sizes.head_dim), dropout(sizes.dropout)

    def forward(
        self, x: Float[Tensor, "b n d"], context: Float[Tensor, "b m d"], mask: Bool[Tensor, "b n m"]
    ) -> Float[Tensor, "b n d"]:
        """Attend where ``mask`` allows it."""
        some = mask.any(-1, keepdim=True)
        attended: Tensor = self.attention(self.norm(x), self.norm_context(context), mask | ~some)
        out: Tensor = x + some * self.dropout(attended)
        return out


class Geglu(nn.Module):
    """x plus an MLP of it, four times as wide inside and gated by GELU (Shazeer 2020)."""

    def __init__(self, width: int, rate: float, *, bias: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, bias=bias)
        self.inner, self.outer = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)
        self.dropout = dropout(rate)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Apply the MLP to every place."""
        values, gates = self.inner(self.norm(x)).chunk(2, -1)
        out: Tensor = x + self.dropout(self.outer(values * F.gelu(gates)))
        return out


class SelfBlock(nn.Module):
    """Attention of a sequence to itself, with one norm, and an MLP."""

    def __init__(self, width: int, sizes: Heads, *, bias: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, bias=bias)
        self.attention, self.dropout = MultiHead(width, sizes.heads, sizes.head_dim), dropout(sizes.dropout)
        self.feed_forward = Geglu(width, sizes.dropout, bias=bias)

    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n n"]) -> Float[Tensor, "b n d"]:
        """Apply the block; every place attends to one place at least."""
        normed = self.norm(x)
        return cast(Tensor, self.feed_forward(x + self.dropout(self.attention(normed, normed, mask))))


def together(audio: Tensor, video: Tensor) -> Tensor:
    """Both modalities' tokens, or which of them are there, as one sequence."""
    return torch.cat([audio, video], 1)
