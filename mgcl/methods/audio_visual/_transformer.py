"""Transformer with AV-DIFF's attention patterns (Mercea et al. 2023, Eqs. 1-5).

Equation 5 sums zero-padded products. Read as products of a query and a key, it is one softmax over the places that a
token may attend to, so a pattern is a mask:

- self: places of the same modality; the classification token attends to all places, and all attend to it;
- cross: places of the other modality; the classification token as above. Other tokens do not attend to themselves;
- full: all places.
"""

from collections import abc

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._layers import dropout
from mgcl.methods.audio_visual._sizes import Encoding, Layers, Pattern
from mgcl.methods.audio_visual._tokens import Sequence
from mgcl.methods.recogniser import Clips, Shapes


def kinds(lengths: abc.Sequence[int], device: torch.device) -> Int[Tensor, "n"]:
    """Kind of each place of a sequence: 0 classification token, 1 audio, 2 video."""
    return torch.arange(len(lengths), device=device).repeat_interleave(torch.tensor(lengths, device=device))


def allowed(pattern: Pattern, kinds: Int[Tensor, "n"]) -> Bool[Tensor, "n n"]:
    """Whether the place of a row attends to the place of a column."""
    one, other = kinds[:, None], kinds[None, :]
    classifying = (one == 0) | (other == 0)
    if pattern == "full":
        return torch.ones_like(classifying)
    return classifying | ((one == other) if pattern == "self" else (one != other))


class MultiHead(nn.Module):
    """Multi-head attention without biases on queries, keys and values; context may be another sequence."""

    def __init__(self, width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads, inner = heads, heads * head_dim
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, width)

    def forward(
        self, x: Float[Tensor, "b n d"], context: Float[Tensor, "b m d"], mask: Bool[Tensor, "b #n m"]
    ) -> Float[Tensor, "b n d"]:
        """Attend from ``x`` to the places of ``context`` that ``mask`` allows, at least one per place of ``x``."""
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in (self.query(x), *self.key_value(context).chunk(2, -1))
        )
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None])
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out


class Layer(nn.Module):
    """Attention and MLP, each after one shared layer norm and with a residual (Eq. 1)."""

    def __init__(self, width: int, sizes: Layers) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = MultiHead(width, sizes.heads, sizes.head_dim)
        self.dropout = dropout(sizes.dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, sizes.mlp),
            nn.GELU(),
            dropout(sizes.dropout),
            nn.Linear(sizes.mlp, width),
            dropout(sizes.dropout),
        )

    def forward(self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n n"]) -> Float[Tensor, "b n d"]:
        """Apply the layer to sequences."""
        normed = self.norm(x)
        x = x + self.dropout(self.attention(normed, normed, mask))
        out: Tensor = x + self.feed_forward(self.norm(x))
        return out


class Transformer(nn.Module):
    """Stack of layers; returns the first place, the classification token."""

    def __init__(self, width: int, sizes: Layers) -> None:
        super().__init__()
        self.patterns = sizes.patterns
        self.layers = nn.ModuleList([Layer(width, sizes) for _ in self.patterns])

    def forward(
        self, x: Float[Tensor, "b n d"], present: Bool[Tensor, "b n"], lengths: abc.Sequence[int]
    ) -> Float[Tensor, "b d"]:
        """Apply the layers.

        Args:
            x: sequences of a classification token, audio tokens and video tokens.
            present: places with a token; no place attends to the others.
            lengths: lengths of the three parts.
        """
        of = kinds(lengths, x.device)
        masks = {pattern: allowed(pattern, of) & present[:, None] for pattern in dict.fromkeys(self.patterns)}
        for layer, pattern in zip(self.layers, self.patterns, strict=True):
            x = layer(x, masks[pattern])
        return x[:, 0]


class HybridTrunk(nn.Module):
    """Trunk of AV-DIFF: from clips to the classification token's last state."""

    def __init__(self, shapes: Shapes, encoding: Encoding, layers: Layers) -> None:
        super().__init__()
        self.sequence = Sequence(shapes, encoding)
        self.transformer = Transformer(encoding.width, layers)

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Encode, place in time, and attend."""
        out: Tensor = self.transformer(*self.sequence(clips))
        return out
