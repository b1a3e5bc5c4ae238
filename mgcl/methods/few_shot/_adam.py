"""Adam by torch's function. torch's class gives the same numbers, but imports the compiler, which takes two seconds."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam


def adam_step(weights: Sequence[Tensor], learning_rate: float) -> Callable[[], None]:
    """Return the step of Adam with PyTorch's default settings, which moves the weights that have a gradient.

    Args:
        weights: leaf tensors, changed in place. A weight has a gradient in every step, or in none.
        learning_rate: > 0.
    """
    means, squares = ([torch.zeros_like(each) for each in weights] for _ in range(2))
    steps = [torch.zeros((), device=each.device) for each in weights]

    def step() -> None:
        moved = [each for each in zip(weights, means, squares, steps, strict=True) if each[0].grad is not None]
        tensors = [list(each) for each in zip(*moved, strict=True)] or [[], [], [], []]
        gradients = [weight.grad for weight in tensors[0] if weight.grad is not None]
        with torch.no_grad():
            adam(
                tensors[0], gradients, tensors[1], tensors[2], [], tensors[3], fused=True, amsgrad=False,
                beta1=0.9, beta2=0.999, lr=learning_rate, weight_decay=0.0, eps=1e-8, maximize=False,
            )  # fmt: skip

    return step
