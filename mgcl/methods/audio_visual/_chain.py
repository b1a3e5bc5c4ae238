"""The steps of a diffusion chain with their gradient, both as plain loops of small products.

Autograd would record twenty operations a step. Here the forward pass keeps two numbers per hidden unit, the backward
pass goes through the steps once, and the gradients of the weights are one product each over all steps.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_SLOPE = 0.01
"""Of leaky ReLU below 0."""


class Steps(torch.autograd.Function):
    """x_0 of x <- grown[t] (x - removed[t] epsilon(x, t)) + added[t], for t = T - 1, ..., 0.

    epsilon(x, t) = keep[t] leaky(leaky(x) of_x + conditioned + of_time[t]) weight + bias.
    """

    @staticmethod
    def forward(
        ctx: Any,
        start: Float[Tensor, "b dim"],
        of_x: Float[Tensor, "dim hidden"],
        conditioned: Float[Tensor, "b hidden"],
        of_time: Float[Tensor, "steps hidden"],
        weight: Float[Tensor, "hidden dim"],
        bias: Float[Tensor, "dim"],
        keep: Float[Tensor, "steps b hidden"] | None,
        added: Float[Tensor, "steps b dim"],
        coefficients: tuple[list[float], list[float]],
    ) -> Float[Tensor, "b dim"]:
        """Run the chain; ``coefficients`` are ``grown`` and ``removed``. ``start`` and ``added`` get no gradient."""
        grown, removed = coefficients
        inputs, hidden = torch.empty_like(added), added.new_empty(*added.shape[:2], of_x.shape[1])
        x = start
        for step in reversed(range(len(added))):
            F.leaky_relu_(inputs[step].copy_(x), _SLOPE)
            torch.addmm(conditioned + of_time[step], inputs[step], of_x, out=hidden[step])
            F.leaky_relu_(hidden[step], _SLOPE)
            kept = hidden[step] if keep is None else hidden[step] * keep[step]
            predicted = torch.addmm(bias, kept, weight)
            x = torch.add(x, predicted, alpha=-removed[step]).mul_(grown[step]).add_(added[step])
        ctx.save_for_backward(of_x, weight, inputs, hidden, keep)
        ctx.coefficients = coefficients
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "b dim"]) -> tuple[Tensor | None, ...]:
        """Gradients of the weights and of what the words gave."""
        of_x, weight, inputs, hidden, keep = ctx.saved_tensors
        grown, removed = ctx.coefficients
        of_predicted, of_hidden = torch.empty_like(inputs), torch.empty_like(hidden)
        slopes, hidden_slopes = (torch.where(each > 0, 1.0, _SLOPE).to(each.dtype) for each in (inputs, hidden))
        if keep is not None:
            hidden_slopes, hidden = hidden_slopes * keep, hidden * keep
        for step in range(len(inputs)):
            gradient = grown[step] * gradient
            torch.mul(gradient, -removed[step], out=of_predicted[step])
            torch.mul(of_predicted[step] @ weight.T, hidden_slopes[step], out=of_hidden[step])
            gradient = torch.addcmul(gradient, of_hidden[step] @ of_x.T, slopes[step])
        predicted, units = of_predicted.flatten(0, 1), of_hidden.flatten(0, 1)
        return (
            None,
            inputs.flatten(0, 1).T @ units,
            of_hidden.sum(0),
            of_hidden.sum(1),
            hidden.flatten(0, 1).T @ predicted,
            predicted.sum(0),
            None,
            None,
            None,
        )


def dropped(shape: tuple[int, ...], rate: float, like: Tensor) -> Tensor | None:
    """Factors of dropout, 0 or 1 / (1 - rate); None at rate 0."""
    return F.dropout(like.new_ones(shape), rate) if rate else None
