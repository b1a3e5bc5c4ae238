"""Gradient descent on the support clips, with the full batch in every step."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR


def descend(
    logits: Callable[[], Tensor],
    labels: Tensor,
    weights: Sequence[Tensor],
    *,
    optimiser: Callable[[Sequence[Tensor]], Callable[[], object]],
    epochs: int,
) -> None:
    """Minimise the cross-entropy (MGCL Eq. 22), one step per epoch; change ``weights`` in place.

    Stacked episodes are independent: their losses are summed, and each episode has its own slice of the weights.

    Args:
        logits: computes logits from the weights, shape (*stack, clips, way).
        labels: class indices, shape (clips,).
        weights: leaf tensors; they have no gradient afterwards.
        optimiser: returns the step of an optimiser of the weights; it must update every number independently, as
            Adam does.
        epochs: number of steps, >= 0.

    Raises:
        FloatingPointError: the loss is not finite; the message names the epoch.
    """
    for weight in weights:
        weight.requires_grad_()
    step = optimiser(weights)
    for epoch in range(epochs):
        for weight in weights:
            weight.grad = None
        now = logits()
        stacked = labels.expand(now.shape[:-1]).flatten()
        value = cross_entropy(now.flatten(0, -2), stacked, reduction="sum") / len(labels)
        if not torch.isfinite(value):
            raise FloatingPointError(f"the training loss is {value.item()} in epoch {epoch + 1} of {epochs}")
        torch.autograd.backward(value)
        step()
    for weight in weights:
        weight.requires_grad_(False)
        weight.grad = None


def decaying_adamw(
    weights: Sequence[Tensor], *, learning_rate: float, epochs: int, eps: float = 1e-8
) -> Callable[[], object]:
    """Return the step of AdamW with PyTorch's weight decay of 0.01 and a learning rate that ends at 0.

    Args:
        weights: leaf tensors.
        learning_rate: initial learning rate; it decays along a half cosine.
        epochs: number of steps, >= 0.
        eps: AdamW's eps.
    """
    optimiser = AdamW(weights, lr=learning_rate, eps=eps, fused=True)
    schedule = CosineAnnealingLR(optimiser, max(1, epochs))

    def step() -> None:
        optimiser.step()
        schedule.step()

    return step
