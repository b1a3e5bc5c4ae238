"""Fusion of one vector per modality, which sees no time: Attention Fusion and AVCA."""

from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgcl.methods.audio_visual._sizes import Encoding, Layers
from mgcl.methods.audio_visual._tokens import Encoder, mean_tokens
from mgcl.methods.audio_visual._transformer import Layer
from mgcl.methods.recogniser import Clips, Shapes, Tokens


class MeanEncoders(nn.Module):
    """An MLP per modality of its mean token."""

    def __init__(self, shapes: Shapes, encoding: Encoding) -> None:
        super().__init__()
        self.encoders = nn.ModuleList([Encoder(shapes.audio, encoding), Encoder(shapes.video, encoding)])

    def forward(self, clips: Clips) -> tuple[Float[Tensor, "b 2 d"], Bool[Tensor, "b 2"]]:
        """Return audio and video vectors, 0 for an absent modality, and which are there."""
        both = clips.audio, clips.video
        means = [
            Tokens(mean_tokens(each)[:, None], each.seconds[:1], each.present.any(1, keepdim=True)) for each in both
        ]
        vectors = [encode(mean) for encode, mean in zip(self.encoders, means, strict=True)]
        return torch.cat(vectors, 1), torch.cat([each.present for each in means], 1)


class AttentionFusion(nn.Module):
    """Sum of both vectors, weighted per dimension by a softmax over the modalities."""

    def __init__(self, shapes: Shapes, encoding: Encoding) -> None:
        super().__init__()
        self.means = MeanEncoders(shapes, encoding)
        self.weigh = nn.ModuleList([nn.Linear(encoding.width, encoding.width) for _ in range(2)])

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Fuse; an absent modality has no weight."""
        vectors, present = self.means(clips)
        logits = torch.stack([weigh(vectors[:, index]) for index, weigh in enumerate(self.weigh)], 1)
        weights = logits.masked_fill(~present[..., None], -torch.inf).softmax(1).nan_to_num()
        fused: Tensor = (weights * vectors).sum(1)
        return fused


class Avca(nn.Module):
    """A transformer of two tokens, one per modality, with a residual; returns the video token."""

    def __init__(self, shapes: Shapes, encoding: Encoding, layers: Layers) -> None:
        super().__init__()
        self.means = MeanEncoders(shapes, encoding)
        self.position = nn.Parameter(torch.randn(2, encoding.width))
        self.layers = nn.ModuleList([Layer(encoding.width, layers) for _ in range(layers.depth)])

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Attend across the modalities that are there; a token sees itself in any case."""
        vectors, present = self.means(clips)
        mask = present[:, None] | torch.eye(2, dtype=torch.bool, device=present.device)
        x = vectors + self.position
        for layer in self.layers:
            x = layer(x, mask)
        return cast(Tensor, (x + vectors)[:, 1])
