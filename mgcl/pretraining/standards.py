"""Standardised grains: mean 0 and variance 1 in each dimension, for frames and for words.

Without it the mean of all frames, and that of all words, are long and point elsewhere: every clip gives weight to the
codewords along the one, every sentence to those along the other, and few codewords serve both.
"""

from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgcl.backbones._grained import Grained


class Standards(nn.Module):
    """Batch normalisation of frames and words without weights of its own.

    Args:
        embedding_dim: d.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.of_frames = nn.BatchNorm1d(embedding_dim, affine=False)
        self.of_words = nn.BatchNorm1d(embedding_dim, affine=False)

    def frames(self, frames: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Standardise frames."""
        standardised: Tensor = self.of_frames(frames.flatten(0, 1)).view_as(frames)
        return standardised

    def words(self, words: Float[Tensor, "b m d"], present: Bool[Tensor, "b m"]) -> Float[Tensor, "b m d"]:
        """Standardise words by those that are present; the others become 0."""
        return torch.zeros_like(words).masked_scatter(present.unsqueeze(-1), self.of_words(words[present]))

    @torch.no_grad()
    def fold(self, model: Grained) -> None:
        """Give a model's heads the running means and variances, so that it needs this module no longer."""
        for head, norm in ((model.frame_proj, self.of_frames), (model.word_proj, self.of_words)):
            last = cast("nn.Linear", head[-1])
            mean, variance = cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)
            scale = (variance + norm.eps).rsqrt()
            last.weight.mul_(scale.unsqueeze(1))
            last.bias.sub_(mean).mul_(scale)
