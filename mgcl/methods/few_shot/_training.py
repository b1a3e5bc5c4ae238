"""Gradient descent on a handful of support clips: full batch, few steps."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR


def descend(
    logits: Callable[[], Tensor],
    labels: Tensor,
    weights: Sequence[Tensor],
    *,
    optimiser: Callable[[Sequence[Tensor]], Optimizer],
    epochs: int,
    cosine: bool = False,
) -> None:
    """Steps on the cross-entropy (MGCL Eq. 22), one an epoch; changes ``weights`` in place.

    Stacked episodes do not touch each other: their losses are summed, and each owns its slice of the weights.

    Args:
        logits: computes them from the weights, shape (*stack, clips, way).
        labels: class indices, shape (clips,).
        weights: leaf tensors; they end without a gradient.
        optimiser: makes one for the weights; it must treat every number by itself, as Adam does.
        epochs: at least 0.
        cosine: the learning rate falls to 0 along a half cosine.

    Raises:
        FloatingPointError: a loss is not finite; names the epoch.
    """
    for weight in weights:
        weight.requires_grad_()
    stepping = optimiser(weights)
    schedule = CosineAnnealingLR(stepping, max(1, epochs)) if cosine else None
    for epoch in range(epochs):
        stepping.zero_grad()
        now = logits()
        stacked = labels.expand(now.shape[:-1]).flatten()
        value = cross_entropy(now.flatten(0, -2), stacked, reduction="sum") / len(labels)
        if not torch.isfinite(value):
            raise FloatingPointError(f"the training loss is {value.item()} in epoch {epoch + 1} of {epochs}")
        torch.autograd.backward(value)
        stepping.step()
        if schedule:
            schedule.step()
    for weight in weights:
        weight.requires_grad_(False)
        weight.grad = None
