"""Gradient descent on a handful of support clips: full batch, few steps."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def descend(
    logits: Callable[[], Tensor],
    labels: Tensor,
    weights: Sequence[Tensor],
    *,
    epochs: int,
    learning_rate: float,
) -> None:
    """Adam steps on the cross-entropy (MGCL Eq. 22), one an epoch; changes ``weights`` in place.

    Args:
        logits: computes them from the weights, shape (clips, way).
        labels: class indices, shape (clips,).
        weights: leaf tensors; they end without a gradient.
        epochs: at least 0.
        learning_rate: of Adam, > 0.

    Raises:
        FloatingPointError: the loss is not finite; names the epoch.
    """
    for weight in weights:
        weight.requires_grad_()
    optimiser = torch.optim.Adam(weights, lr=learning_rate)
    for epoch in range(epochs):
        optimiser.zero_grad()
        value = cross_entropy(logits(), labels)
        if not torch.isfinite(value):
            raise FloatingPointError(f"the training loss is {value.item()} in epoch {epoch + 1} of {epochs}")
        torch.autograd.backward(value)
        optimiser.step()
    for weight in weights:
        weight.requires_grad_(False)
        weight.grad = None
