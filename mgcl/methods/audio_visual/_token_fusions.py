"""Transformers of two modalities that exchange information through a few tokens: MBT and Zorro."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mgcl.methods.audio_visual._blocks import SelfBlock, together
from mgcl.methods.audio_visual._sizes import Encoding, Heads, Sharing
from mgcl.methods.audio_visual._tokens import Encoders
from mgcl.methods.recogniser import Clips, Shapes

_SPREAD = 0.02
"""Standard deviation of first tokens, as in MBT's code."""


class Mbt(nn.Module):
    """One transformer per modality; from a layer on they share tokens. Returns the mean of their first tokens."""

    def __init__(self, shapes: Shapes, encoding: Encoding, sharing: Sharing, sizes: Heads) -> None:
        super().__init__()
        width = encoding.width
        self.encoders = Encoders(shapes, encoding)
        self.cls = nn.Parameter(_SPREAD * torch.randn(2, width))
        self.bottleneck = nn.Parameter(_SPREAD * torch.randn(sharing.tokens, width))
        self.fusion_layer = sharing.fusion_layer
        self.layers = nn.ModuleList(
            [nn.ModuleList([SelfBlock(width, sizes) for _ in range(2)]) for _ in range(sharing.depth)]
        )

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Apply all layers to both modalities."""
        there = (clips.audio.present, clips.video.present)
        streams = [
            torch.cat([cls.expand(len(tokens), 1, -1), tokens], 1)
            for cls, tokens in zip(self.cls, self.encoders(clips), strict=True)
        ]
        present = [torch.cat([each.new_ones(len(each), 1), each], 1) for each in there]
        shared = self.bottleneck.expand(len(there[0]), -1, -1)
        for index, blocks in enumerate(self.layers):
            width = shared.shape[1] if index >= self.fusion_layer else 0
            out = [
                block(torch.cat([stream, shared[:, :width]], 1), _seen(each, width))
                for block, stream, each in zip(blocks, streams, present, strict=True)  # type: ignore[call-overload]
            ]
            streams = [each[:, : stream.shape[1]] for each, stream in zip(out, streams, strict=True)]
            if width:
                shared = torch.stack([each[:, -width:] for each in out]).mean(0)
        return torch.stack([stream[:, 0] for stream in streams]).mean(0)


def _seen(present: Bool[Tensor, "b n"], more: int) -> Bool[Tensor, "b n+more n+more"]:
    places = torch.cat([present, present.new_ones(len(present), more)], 1)
    return places[:, None].expand(-1, places.shape[1], -1)


class Zorro(nn.Module):
    """One transformer of [audio; fusion; video]; fusion tokens see all, others their own modality only.

    So no audio token ever depends on the picture, nor a video token on the sound.
    """

    def __init__(self, shapes: Shapes, encoding: Encoding, fusion: int, depth: int, sizes: Heads) -> None:
        super().__init__()
        width = encoding.width
        self.encoders = Encoders(shapes, encoding)
        self.fusion = nn.Parameter(_SPREAD * torch.randn(fusion, width))
        self.blocks = nn.ModuleList([SelfBlock(width, sizes, bias=False) for _ in range(depth)])

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Mean of the fusion tokens after all blocks."""
        return self.tokens(clips)[1].mean(1)

    def tokens(self, clips: Clips) -> tuple[Float[Tensor, "b a d"], Float[Tensor, "b f d"], Float[Tensor, "b v d"]]:
        """Audio, fusion and video tokens after all blocks."""
        audio, video = self.encoders(clips)
        x = torch.cat([audio, self.fusion.expand(len(audio), -1, -1), video], 1)
        lengths = [audio.shape[1], len(self.fusion), video.shape[1]]
        there = clips.audio.present.new_ones(len(audio), lengths[1])
        present = together(together(clips.audio.present, there), clips.video.present)
        kind = torch.arange(3, device=x.device).repeat_interleave(torch.tensor(lengths, device=x.device))
        mask = _sees(kind) & present[:, None]
        mask = mask | torch.eye(len(kind), dtype=torch.bool, device=x.device)  # a padded place sees itself alone
        for block in self.blocks:
            x = block(x, mask)
        out_audio, fusion, out_video = x.split(lengths, 1)  # type: ignore[no-untyped-call]
        return out_audio, fusion, out_video


def _sees(kind: Int[Tensor, "n"]) -> Bool[Tensor, "n n"]:
    """Whether the place of a row sees that of a column: it is a fusion token (1), or both are of one kind."""
    return (kind[:, None] == 1) | (kind[:, None] == kind[None, :])
