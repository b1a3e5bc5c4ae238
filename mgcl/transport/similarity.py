"""Similarity between matched sets of segments."""

import math
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mgcl.transport.cost import pairwise_cosine
from mgcl.transport.gradient import attach_exact_gradient
from mgcl.transport.matching import Matching
from mgcl.transport.sinkhorn import Summary, iteration_limit, sinkhorn, solve, summarise

# Sizes of a block without a gradient, in clips of y and in cosines: a block fits into a processor's cache.
_COLUMNS = 128
_CPU_NUMBERS, _GPU_NUMBERS = 2**20, 2**24


class Similarity(NamedTuple):
    """All-pairs similarity, with the flags of the transport problems that reached their tolerance."""

    value: Float[Tensor, "*stack a b"]
    converged: Bool[Tensor, "*stack a b"]


class Matched(NamedTuple):
    """Parts of a similarity, before the entropy weight is applied."""

    cosine: Float[Tensor, "*stack a b"]
    """<T, cos>, in -1..1."""
    entropy: Float[Tensor, "*stack a b"]
    """h(T) / log(n m), in 0..1; 0 if there is only one pair of segments, or no transport."""
    converged: Bool[Tensor, "*stack a b"]

    def weighted(self, entropy_weight: float) -> Similarity:
        """Return the similarity at entropy weight λ (MGCL Eq. 5); 0 is Eq. 9 as printed."""
        value = self.cosine + entropy_weight * self.entropy if entropy_weight else self.cosine
        return Similarity(value, self.converged)


def similarity(
    x: Float[Tensor, "*stack a n d"], y: Float[Tensor, "*stack b m d"], matching: Matching | None = None
) -> Similarity:
    """Similarity between a clips with n segments and b clips with m segments (MGCL Eq. 3-9, 17-18).

    Args:
        x: segment embeddings of any length, shape (*stack, a, n, d); a zero vector has cosine 0 with everything.
        y: segment embeddings, shape (*stack, b, m, d).
        matching: how segments are matched; by default transport at epsilon 0.1.

    Returns:
        Similarity with value <T, cos>, in -1..1 if the entropy weight is 0, and converged; both (*stack, a, b).

    Raises:
        ValueError: clips have no segments, or the two shapes do not fit each other.
    """
    matching = matching or Matching()
    return matched(x, y, matching).weighted(matching.entropy_weight)


def matched(x: Float[Tensor, "*stack a n d"], y: Float[Tensor, "*stack b m d"], matching: Matching) -> Matched:
    """Match clips as ``similarity`` does, without applying the entropy weight: the result serves any entropy weight.

    Without a gradient the work is done block by block, so that its memory does not grow with a and b.
    """
    if min(x.dim(), y.dim()) < 3:
        raise ValueError(f"segments of clips are needed, (clips, n, d), got {tuple(x.shape)} and {tuple(y.shape)}")
    if x.shape[-2] == 0 or y.shape[-2] == 0:
        raise ValueError(f"a clip without segments cannot be matched: shapes {tuple(x.shape)} and {tuple(y.shape)}")
    if x.dtype in (torch.float16, torch.bfloat16):
        x, y = x.float(), y.float()
    if torch.is_grad_enabled() and (x.requires_grad or y.requires_grad):
        return _matched(x, y, matching)
    n, (b, m) = x.shape[-2], y.shape[-3:-1]
    numbers = _CPU_NUMBERS if x.device.type == "cpu" else _GPU_NUMBERS
    rows = max(1, numbers // (n * m * max(1, min(b, _COLUMNS)) * x.shape[:-3].numel()))
    lines = [
        [
            torch.cat(field, -1)
            for field in zip(*(_matched(some, others, matching) for others in _split(y, _COLUMNS)), strict=True)
        ]
        for some in _split(x, rows)
    ]
    return Matched(*(torch.cat(field, -2) for field in zip(*lines, strict=True)))


def _split(x: Tensor, clips: int) -> tuple[Tensor, ...]:
    return torch.split(x, clips, dim=-3)


def _matched(x: Tensor, y: Tensor, matching: Matching) -> Matched:
    cosines = pairwise_cosine(x, y)
    match matching.kind:
        case "transport":
            return _transport(cosines, matching)
        case "uniform":
            value = cosines.mean((0, 1))
        case "best-match":
            value = cosines.amax(1).mean(0)
    return Matched(value, torch.zeros_like(value), torch.ones_like(value, dtype=torch.bool))


def plans(x: Float[Tensor, "a n d"], y: Float[Tensor, "b m d"], matching: Matching) -> Float[Tensor, "a b n m"]:
    """Return the transport plans behind ``similarity``, for explanations.

    Raises:
        ValueError: ``matching.kind`` is not "transport".
    """
    if matching.kind != "transport":
        raise ValueError(f"only a transport has plans, not {matching.kind!r}")
    return sinkhorn(
        1 - pairwise_cosine(x, y).permute(2, 3, 0, 1),
        epsilon=matching.epsilon,
        tolerance=matching.tolerance,
        max_iterations=matching.max_iterations,
    ).plan


def column_shares(x: Float[Tensor, "n d"], y: Float[Tensor, "b m d"], matching: Matching) -> Float[Tensor, "b m"]:
    """Contribution of each segment of y to its clip's ``similarity`` with x; the m shares of a clip sum to it.

    Args:
        x: segments of one clip, shape (n, d).
        y: segments of b clips, shape (b, m, d).
        matching: how segments are matched; the entropy of a plan is split by columns too.
    """
    cosines = pairwise_cosine(x[None], y)[:, :, 0].permute(2, 0, 1)
    _, n, m = cosines.shape
    if matching.kind == "uniform":
        return cosines.sum(1) / (n * m)
    if matching.kind == "best-match":
        best = torch.nn.functional.one_hot(cosines.argmax(-1), m)
        return (cosines * best).sum(1) / n
    plan = plans(x[None], y, matching)[0]
    entropy = torch.special.entr(plan).sum(1) / torch.tensor(max(2, n * m)).log()
    shares: Tensor = (plan * cosines).sum(1) + matching.entropy_weight * entropy
    return shares


def _transport(cosines: Float[Tensor, "n m *stack_a_b"], matching: Matching) -> Matched:
    (n, m, *pairs), limit = cosines.shape, matching.max_iterations
    cosines, largest = cosines.reshape(n, m, -1), math.log(max(2, n * m))
    solver = partial(
        summarise if not cosines.requires_grad else solve,
        epsilon=matching.epsilon,
        max_iterations=iteration_limit(matching.epsilon) if limit is None else limit,
        tolerance=matching.tolerance,
    )
    solved = solver(1 - cosines.detach())
    if isinstance(solved, Summary):
        fields = solved.similarity, solved.entropy / largest, solved.converged
        return Matched(*(each.reshape(pairs) for each in fields))
    plan = solved.plan
    if matching.gradient == "exact":
        plan = attach_exact_gradient(1 - cosines.permute(2, 0, 1), plan.permute(2, 0, 1), matching.epsilon)
        plan = plan.permute(1, 2, 0)
    cosine = (plan * cosines).sum((0, 1))
    tiny = torch.finfo(plan.dtype).tiny
    entropy = -(plan * plan.clamp_min(tiny).log()).sum((0, 1)) / largest
    return Matched(cosine.reshape(pairs), entropy.reshape(pairs), solved.converged.reshape(pairs))
