"""Layers that encoders, heads and generators are made of."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm1d):
    """Batch norm that takes its running statistics for a single row, which has no variance, in training too."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Normalise rows of shape (b, d)."""
        if self.training and len(input) < 2:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


def dropout(rate: float) -> nn.Module:
    """Dropout; at rate 0 nothing, because torch draws random numbers all the same."""
    return nn.Dropout(rate) if rate else nn.Identity()


def mlp(sizes: Sequence[int], rate: float) -> nn.Sequential:
    """Blocks of Linear, batch norm, ReLU and dropout, from ``sizes[0]`` to ``sizes[-1]`` dimensions."""
    return nn.Sequential(
        *(
            layer
            for before, after in pairwise(sizes)
            for layer in (nn.Linear(before, after), BatchNorm(after), nn.ReLU(), dropout(rate))
        )
    )
