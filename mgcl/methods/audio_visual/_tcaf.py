"""Alignment of clips and word vectors in one space: TCAF's losses and scores."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._layers import mlp
from mgcl.methods.audio_visual._sizes import Head
from mgcl.methods.recogniser import Batch, Clips, Shapes


class Aligned(nn.Module):
    """Projections of clips and of words, and decoders of both; see ``mgcl.methods.recogniser.Model``."""

    def __init__(self, trunk: nn.Module, width: int, shapes: Shapes, head: Head) -> None:
        super().__init__()
        self.trunk = trunk
        self.clip, self.word = _projection(width, head, head.out), _projection(shapes.words, head, head.out)
        self.clip_decoder, self.word_decoder = (_projection(head.out, head, shapes.words) for _ in range(2))

    def embed(self, clips: Clips) -> Float[Tensor, "b e"]:
        """Output of the trunk."""
        out: Tensor = self.trunk(clips)
        return out

    def scores(self, embedded: Float[Tensor, "b e"], words: Float[Tensor, "c w"]) -> Float[Tensor, "b c"]:
        """Minus the distance of a clip to each class's words."""
        return -torch.cdist(self.clip(embedded), self.word(words), compute_mode="donot_use_mm_for_euclid_dist")

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Cross-entropy of products, distance to the own class's words, and reconstruction of the word vector."""
        clip, classes = self.clip(batch.embedded), self.word(batch.words)
        word, vector = classes[batch.labels], batch.words[batch.labels]
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


def _projection(before: int, head: Head, after: int) -> nn.Sequential:
    return nn.Sequential(mlp((before, head.hidden), head.dropout), nn.Linear(head.hidden, after))
