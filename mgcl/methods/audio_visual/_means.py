"""Clips as their mean tokens, and recognition by class means."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._tokens import mean_tokens
from mgcl.methods.recogniser import Batch, Clips, Shapes


class Means(nn.Module):
    """A clip's mean audio token and mean video token, each of unit length; 0 for an absent modality."""

    def forward(self, clips: Clips) -> Float[Tensor, "b audio+video"]:
        """Vectors of the clips."""
        return torch.cat([F.normalize(mean_tokens(each), dim=-1) for each in (clips.audio, clips.video)], -1)


def class_means(
    embedded: Float[Tensor, "b e"], labels: Int[Tensor, "b"], classes: int
) -> tuple[Float[Tensor, "classes e"], Float[Tensor, "classes"]]:
    """Mean of each class's clips, 0 without any, and their number."""
    one_hot = F.one_hot(labels, classes).to(embedded.dtype)
    counts = one_hot.sum(0)
    return one_hot.T @ embedded / counts.clamp(min=1)[:, None], counts


class Prototypes(nn.Module):
    """Nearest class mean; see ``mgcl.methods.recogniser.Model``. A class without clips scores minus infinity."""

    means: Tensor
    counts: Tensor

    def __init__(self, shapes: Shapes, scale: float) -> None:
        super().__init__()
        self.trunk, self.scale = Means(), scale
        self.register_buffer("means", torch.zeros(shapes.classes, shapes.audio + shapes.video))
        self.register_buffer("counts", torch.zeros(shapes.classes))

    def observe(self, embedded: Float[Tensor, "b e"], labels: Int[Tensor, "b"]) -> None:
        """Average the clips of each class."""
        self.means, self.counts = class_means(embedded, labels, len(self.counts))

    def embed(self, clips: Clips) -> Float[Tensor, "b e"]:
        """Mean tokens of the clips."""
        out: Tensor = self.trunk(clips)
        return out

    def scores(self, embedded: Float[Tensor, "b e"], _words: Float[Tensor, "c w"]) -> Float[Tensor, "b c"]:
        """Minus the scaled squared distance to each mean."""
        distances = (embedded[:, None] - self.means).square().sum(-1)
        return (-self.scale * distances).masked_fill(self.counts == 0, -torch.inf)

    def losses(self, _batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield nothing: nothing is trained."""
        return iter(())

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return no group."""
        return {}
