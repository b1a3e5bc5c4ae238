"""Tokens of both modalities in one width, with their times: what every recogniser's trunk begins with.

AV-DIFF section 3.2, after TCAF (Mercea et al. 2022): an MLP per modality, Fourier features of the seconds and a vector
per modality beside each token, and a linear map of both.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgcl.methods.audio_visual._layers import dropout, mlp
from mgcl.methods.audio_visual._sizes import Encoding
from mgcl.methods.recogniser import Clips, Shapes, Tokens


class Encoder(nn.Module):
    """MLP of single tokens. A place without a token stays 0."""

    def __init__(self, dim: int, sizes: Encoding) -> None:
        super().__init__()
        self.layers = mlp((dim, sizes.hidden, sizes.width), sizes.dropout)
        self.width, self.count_padding = sizes.width, sizes.count_padding

    def forward(self, tokens: Tokens) -> Float[Tensor, "b n d"]:
        """Encode the tokens of one modality."""
        present = torch.ones_like(tokens.present) if self.count_padding else tokens.present
        if not present.any():
            return tokens.values.new_zeros(*present.shape, self.width)
        encoded: Tensor = self.layers(tokens.values[present])
        spread = encoded.new_zeros(*present.shape, self.width)
        spread[present] = encoded
        return spread * tokens.present[..., None] if self.count_padding else spread


class Fourier(nn.Module):
    """Sine and cosine of 2 pi t f for drawn frequencies f, then a linear map (Tancik et al. 2020).

    A frequency is the sum of two normal numbers, as in the published code.
    """

    frequencies: Tensor

    def __init__(self, dim: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", (scale * torch.randn(2, dim // 2)).sum(0))
        self.map = nn.Linear(dim, dim)

    def forward(self, seconds: Float[Tensor, "n"]) -> Float[Tensor, "n dim"]:
        """Features of times in seconds."""
        phase = 2 * math.pi * seconds[:, None] * self.frequencies
        features: Tensor = self.map(torch.cat([phase.sin(), phase.cos()], -1))
        return features


class Encoders(nn.Module):
    """Encoded tokens with their time and modality, per modality."""

    def __init__(self, shapes: Shapes, sizes: Encoding) -> None:
        super().__init__()
        self.encoders = nn.ModuleList([Encoder(shapes.audio, sizes), Encoder(shapes.video, sizes)])
        self.time = Fourier(sizes.position, sizes.fourier_scale)
        self.modality = nn.Parameter(torch.randn(2, sizes.position))
        self.mix = nn.Linear(sizes.width + sizes.position, sizes.width)
        self.dropout = dropout(sizes.position_dropout)

    def forward(self, clips: Clips) -> tuple[Float[Tensor, "b a d"], Float[Tensor, "b v d"]]:
        """Encode audio and video tokens; padded places hold numbers that attention does not see."""
        audio, video = (
            self.dropout(self._placed(encode(tokens), self.time(tokens.seconds) + modality))
            for encode, tokens, modality in zip(
                self.encoders, (clips.audio, clips.video), self.modality.unbind(), strict=True
            )
        )
        return audio, video

    def _placed(self, tokens: Tensor, place: Tensor) -> Tensor:
        """The linear map of [token; place]; the place is the same in all clips, so its part is computed once."""
        weight, width = self.mix.weight.T, tokens.shape[-1]
        return tokens @ weight[:width] + (place @ weight[width:] + self.mix.bias)


class Sequence(nn.Module):
    """One sequence per clip: a learnt classification token, then audio and video tokens."""

    def __init__(self, shapes: Shapes, sizes: Encoding) -> None:
        super().__init__()
        self.encoders = Encoders(shapes, sizes)
        self.cls = nn.Parameter(torch.randn(sizes.width))

    def forward(self, clips: Clips) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"], list[int]]:
        """Return the sequence, which places hold a token, and the lengths of its three parts."""
        audio, video = self.encoders(clips)
        first = self.cls.expand(len(audio), 1, -1)
        there = clips.audio.present.new_ones(len(audio), 1)
        present = torch.cat([there, clips.audio.present, clips.video.present], 1)
        return torch.cat([first, audio, video], 1), present, [1, audio.shape[1], video.shape[1]]


def mean_tokens(tokens: Tokens) -> Float[Tensor, "b d"]:
    """Mean over a clip's tokens; 0 without any."""
    return tokens.values.sum(1) / tokens.present.sum(1, keepdim=True).clamp(min=1)
