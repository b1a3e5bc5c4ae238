"""Alignment of clips and word vectors in one space: losses and scores of TCAF, which ClipClap-GZSL shares."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._layers import mlp
from mgcl.methods.audio_visual._means import Means
from mgcl.methods.audio_visual._sizes import Head
from mgcl.methods.recogniser import Batch, Clips, Shapes


@dataclass(frozen=True, eq=False)
class Maps:
    """What an alignment is made of, in the order in which it is initialised."""

    clip: nn.Module
    """From the trunk's output to the common space."""
    word: nn.Module
    """From the encoded words to the common space."""
    clip_decoder: nn.Module
    """From a clip in the common space back to its class's encoded words."""
    word_decoder: nn.Module
    """From words in the common space back to the encoded words."""


class Aligned(nn.Module):
    """Projections of clips and of words, and decoders of both; see ``mgcl.methods.recogniser.Model``."""

    def __init__(self, trunk: nn.Module, maps: Maps, encode: nn.Module) -> None:
        super().__init__()
        self.trunk, self.encode = trunk, encode
        self.clip, self.word = maps.clip, maps.word
        self.clip_decoder, self.word_decoder = maps.clip_decoder, maps.word_decoder

    def embed(self, clips: Clips) -> Float[Tensor, "b e"]:
        """Output of the trunk."""
        out: Tensor = self.trunk(clips)
        return out

    def scores(self, embedded: Float[Tensor, "b e"], words: Float[Tensor, "c w"]) -> Float[Tensor, "b c"]:
        """Minus the distance of a clip to each class's words."""
        classes = self.word(self.encode(words))
        return -torch.cdist(self.clip(embedded), classes, compute_mode="donot_use_mm_for_euclid_dist")

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Cross-entropy of products, distance to the own class's words, and reconstruction of the encoded words."""
        encoded = self.encode(batch.words)
        clip, classes = self.clip(batch.embedded), self.word(encoded)
        word, vector = classes[batch.labels], encoded[batch.labels]
        yield (
            "model",
            F.cross_entropy(clip @ classes.T, batch.labels)
            + F.mse_loss(clip, word)
            + F.mse_loss(self.clip_decoder(clip), vector)
            + F.mse_loss(self.word_decoder(word), vector),
        )

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters."""
        return {"model": list(self.parameters())}


class MeanEncoder(nn.Module):
    """One layer with batch norm, ReLU and dropout of [mean audio token; mean video token]."""

    def __init__(self, shapes: Shapes, width: int, rate: float) -> None:
        super().__init__()
        self.means, self.layers = Means(), mlp((shapes.audio + shapes.video, width), rate)

    def forward(self, clips: Clips) -> Float[Tensor, "b d"]:
        """Encode the clips."""
        out: Tensor = self.layers(self.means(clips))
        return out


def tcaf(trunk: nn.Module, width: int, shapes: Shapes, head: Head) -> Aligned:
    """Alignment of a trunk's output with word vectors as they are; every map has one hidden layer."""
    clip, word = _projection(width, head, head.out), _projection(shapes.words, head, head.out)
    decoders = [_projection(head.out, head, shapes.words) for _ in range(2)]
    return Aligned(trunk, Maps(clip, word, *decoders), nn.Identity())


def clip_clap(shapes: Shapes, width: int, rate: float, head: Head) -> Aligned:
    """Alignment of mean tokens with encoded words; both encoders have one layer of the given width."""
    trunk, encode = MeanEncoder(shapes, width, rate), mlp((shapes.words, width), rate)
    maps = Maps(
        clip=mlp((width, head.hidden, head.out), head.dropout),
        word=mlp((width, head.out), head.dropout),
        clip_decoder=mlp((head.out, head.hidden, width), head.dropout),
        word_decoder=mlp((head.out, width), head.dropout),
    )
    return Aligned(trunk, maps, encode)


def _projection(before: int, head: Head, after: int) -> nn.Sequential:
    return nn.Sequential(mlp((before, head.hidden), head.dropout), nn.Linear(head.hidden, after))
