"""How alike two sets of segments are, once they are matched."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mgcl.records import Matching
from mgcl.transport.cost import pairwise_cosine
from mgcl.transport.sinkhorn import attach_exact_gradient, iteration_limit, sinkhorn, solve


class Similarity(NamedTuple):
    """All-pairs similarity, and which transport problems behind it reached their tolerance."""

    value: Float[Tensor, "a b"]
    converged: Bool[Tensor, "a b"]

    @property
    def unconverged(self) -> int:
        """How many missed it."""
        return int((~self.converged).sum())


def similarity(x: Float[Tensor, "a n d"], y: Float[Tensor, "b m d"], matching: Matching | None = None) -> Similarity:
    """Similarity of each of a clips' n segments to each of b clips' m (MGCL Eq. 3-9, 17-18).

    Args:
        x: unit segments, shape (a, n, d).
        y: unit segments, shape (b, m, d).
        matching: how they are matched; by default transport at epsilon 0.1.

    Returns:
        Similarity with value (a, b) = <T, cos>, in -1..1 where the entropy weight is 0, and converged (a, b).

    Raises:
        ValueError: a clip without segments, or a value of ``matching`` out of range.
    """
    matching = matching or Matching()
    if x.shape[1] == 0 or y.shape[1] == 0:
        raise ValueError(f"a clip without segments cannot be matched: shapes {x.shape} and {y.shape}")
    cosines = pairwise_cosine(x, y)
    match matching.kind:
        case "transport":
            return _transport(cosines, matching)
        case "uniform":
            value = cosines.mean((0, 1))
        case "best-match":
            value = cosines.amax(1).mean(0)
        case unknown:
            raise ValueError(f"kind must be transport, uniform or best-match, got {unknown!r}")
    return Similarity(value, torch.ones_like(value, dtype=torch.bool))


def plans(x: Float[Tensor, "a n d"], y: Float[Tensor, "b m d"], matching: Matching) -> Float[Tensor, "a b n m"]:
    """The transport plans behind ``similarity``, for looking at; ``matching.kind`` must be "transport".

    Raises:
        ValueError: it is not.
    """
    if matching.kind != "transport":
        raise ValueError(f"only a transport has plans, not {matching.kind!r}")
    return sinkhorn(
        1 - pairwise_cosine(x, y).permute(2, 3, 0, 1),
        epsilon=matching.epsilon,
        tolerance=matching.tolerance,
        max_iterations=matching.max_iterations,
    ).plan


def _transport(cosines: Float[Tensor, "n m a b"], matching: Matching) -> Similarity:
    (n, m, a, b), limit = cosines.shape, matching.max_iterations
    cosines = cosines.reshape(n, m, a * b)
    solved = solve(
        1 - cosines.detach(),
        epsilon=matching.epsilon,
        max_iterations=iteration_limit(matching.epsilon) if limit is None else limit,
        tolerance=matching.tolerance,
    )
    plan = solved.plan
    if matching.gradient == "exact":
        plan = attach_exact_gradient(1 - cosines.permute(2, 0, 1), plan.permute(2, 0, 1), matching.epsilon)
        plan = plan.permute(1, 2, 0)
    value = (plan * cosines).sum((0, 1))
    if matching.entropy_weight and n * m > 1:
        tiny = torch.finfo(plan.dtype).tiny
        entropy = -(plan * plan.clamp_min(tiny).log()).sum((0, 1))
        value = value + matching.entropy_weight / math.log(n * m) * entropy
    return Similarity(value.reshape(a, b), solved.converged.reshape(a, b))
