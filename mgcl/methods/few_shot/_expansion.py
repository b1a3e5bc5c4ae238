"""Scores that are sums over samples, f_c(x) = Σ_i k(x, i) a_ic: solved in closed form, split exactly into shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Expansion:
    """Coefficients of the samples: support clips, followed by the classes' sentences, if any, in class order."""

    coefficients: Float[Tensor, "*stack m way"]
    labels: Int[Tensor, m]
    """Class index of each sample."""
    clips: int
    """Number of samples that are support clips."""

    @cached_property
    def own(self) -> Bool[Tensor, "m way"]:
        """Mask that is true where a sample belongs to a class."""
        classes = torch.arange(self.coefficients.shape[-1], device=self.labels.device)
        return self.labels[:, None] == classes

    def scores(self, kernel: Float[Tensor, "*stack b m"]) -> dict[str, Float[Tensor, "*stack b way"]]:
        """Split each class's logit into parts: its own clips, its own sentences, and samples of other classes."""
        own = self.coefficients * self.own
        of_clips = kernel[..., : self.clips] @ own[..., : self.clips, :]
        parts = {"clips": of_clips}
        if self.clips < len(self.labels):
            parts["sentences"] = kernel[..., self.clips :] @ own[..., self.clips :, :]
        return {**parts, "other_classes": kernel @ (self.coefficients * ~self.own)}

    def shares(
        self, kernel: Float[Tensor, "*stack m"]
    ) -> tuple[Float[Tensor, "*stack s"], Float[Tensor, "*stack way n"]]:
        """Contribution of each support clip and each sentence to the logit of its own class, from one clip's kernel."""
        each = kernel * self.coefficients[..., self.own]
        sentences = each[..., self.clips :]
        return each[..., : self.clips], sentences.reshape(*each.shape[:-1], self.coefficients.shape[-1], -1)


def ridge_coefficients(
    kernel: Float[Tensor, "*stack m m"],
    targets: Float[Tensor, "*stack m way"],
    ridge: float,
    weights: Float[Tensor, " m"],
) -> Float[Tensor, "*stack m way"]:
    """Kernel ridge regression of weighted samples, (K + λ W⁻¹)⁻¹ Y, solved in float64.

    Args:
        kernel: K between the samples, positive semidefinite.
        targets: Y.
        ridge: λ, > 0.
        weights: weights of the samples, the diagonal of W, > 0.
    """
    system = kernel.double() + ridge * torch.diag(1 / weights.double())
    solved: Tensor = torch.cholesky_solve(targets.double(), torch.linalg.cholesky(system))
    return solved.to(kernel.dtype)
