"""Gradient descent on the support clips, with the full batch in every step."""

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
    """Minimise the cross-entropy (MGCL Eq. 22), one step per epoch; change ``weights`` in place.

    Stacked episodes are independent: their losses are summed, and each episode has its own slice of the weights.

    Args:
        logits: computes logits from the weights, shape (*stack, clips, way).
        labels: class indices, shape (clips,).
        weights: leaf tensors; they have no gradient afterwards.
        optimiser: returns an optimiser of the weights; it must update every number independently, as Adam does.
        epochs: number of steps, >= 0.
        cosine: decay the learning rate to 0 along a half cosine.

    Raises:
        FloatingPointError: the loss is not finite; the message names the epoch.
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
