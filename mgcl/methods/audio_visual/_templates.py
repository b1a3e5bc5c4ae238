"""Temporal templates: learnt places in time, of learnt width, at which tokens are summed."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgcl.methods.audio_visual._sizes import Encoding
from mgcl.methods.audio_visual._tokens import Encoder
from mgcl.methods.recogniser import Clips, Shapes, Tokens


class Templates(nn.Module):
    """Weighted sums of tokens by normal densities over relative time, one per template."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.mean = nn.Parameter((torch.arange(count) + 0.5) / count)
        self.log_scale = nn.Parameter(torch.full((count,), 1.0 / count).log())

    def forward(self, tokens: Tokens) -> Float[Tensor, "b count*d"]:
        """Sums of a clip's tokens; 0 without any."""
        present = tokens.present
        place = (present.cumsum(1) - 0.5) / present.sum(1, keepdim=True).clamp(min=1)
        density = -0.5 * ((place[..., None] - self.mean) / self.log_scale.exp()).square()
        weights = density.masked_fill(~present[..., None], -torch.inf).softmax(1).nan_to_num()
        return torch.einsum("bnk,bnd->bkd", weights, tokens.values).flatten(1)


class Sldg(nn.Module):
    """Templates and an MLP per modality; returns both vectors."""

    def __init__(self, shapes: Shapes, encoding: Encoding, count: int) -> None:
        super().__init__()
        self.templates = nn.ModuleList([Templates(count), Templates(count)])
        self.encoders = nn.ModuleList([Encoder(count * dim, encoding) for dim in (shapes.audio, shapes.video)])

    def forward(self, clips: Clips) -> Float[Tensor, "b 2d"]:
        """Encode the sums; 0 for an absent modality."""
        out = []
        for template, encode, tokens in zip(self.templates, self.encoders, (clips.audio, clips.video), strict=True):
            there = tokens.present.any(1, keepdim=True)
            out.append(encode(Tokens(template(tokens)[:, None], tokens.seconds[:1], there))[:, 0])
        return torch.cat(out, -1)
