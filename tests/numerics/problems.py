"""Transport problems with known answers, and the costs that tests run on."""

import numpy as np
import torch
from torch import Tensor

from mgcl.transport.cost import unit


def cosine_costs(count: int, n: int, m: int, *, d: int = 24, seed: int = 0) -> Tensor:
    """1 - cos between random unit segments, shape (count, n, m)."""
    random = torch.Generator().manual_seed(seed)
    x, y = (unit(torch.randn(count, size, d, generator=random)) for size in (n, m))
    return 1 - x @ y.mT


def hard_costs(count: int, n: int, m: int, *, seed: int = 0) -> Tensor:
    """Events against near silence: each clip repeats one segment but for a few, so that plans are sharp."""
    random = torch.Generator().manual_seed(seed)

    def clips(size: int) -> Tensor:
        silence, events = (torch.randn(count, each, 24, generator=random) for each in (1, size))
        busy = torch.rand(count, size, 1, generator=random) < 0.2
        return unit(torch.where(busy, events, silence) + 0.05 * torch.randn(count, size, 24, generator=random))

    return 1 - clips(n) @ clips(m).mT


def two_by_two(cost: np.ndarray, epsilon: float) -> np.ndarray:
    """The plan of a 2 x 2 problem with uniform marginals, in closed form.

    T = [[t, 1/2 - t], [1/2 - t, t]] with (t / (1/2 - t))^2 = exp(-(c11 + c22 - c12 - c21) / epsilon).
    """
    odds = np.exp(-(cost[0, 0] + cost[1, 1] - cost[0, 1] - cost[1, 0]) / (2 * epsilon))
    t = 0.5 * odds / (1 + odds)
    return np.array([[t, 0.5 - t], [0.5 - t, t]])
