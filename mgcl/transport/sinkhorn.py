"""Entropic optimal transport by Sinkhorn's iteration, for many small problems at once, in float32 or wider."""

from itertools import repeat
from typing import NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgcl.transport.gradient import attach_exact_gradient
from mgcl.transport.matching import Gradient

# Iterations between two checks of the error. The scalings u and v start each round at 1 and spread by at most
# a factor n m per iteration, so that eight iterations stay inside float32 up to n m = 60,000.
_ROUND = 8
# Largest n m of the compiled kernel, which holds 64 problems: larger ones do not fit into a processor's cache.
_COMPILED = 2**10
# Numbers processed together: more of them do not fit into a processor's cache, fewer leave a GPU idle.
_CPU_TILE, _GPU_TILE = 2**19, 2**24


class Transport(NamedTuple):
    """Plans of a batch of problems, with the error, iterations and convergence of each problem."""

    plan: Float[Tensor, "*batch n m"]
    marginal_error: Float[Tensor, "*batch"]
    iterations: Int[Tensor, "*batch"]
    converged: Bool[Tensor, "*batch"]


class Summary(NamedTuple):
    """What a similarity needs of the plans of b problems."""

    similarity: Float[Tensor, " b"]
    """<T, 1 - C>."""
    entropy: Float[Tensor, " b"]
    """h(T) in nats."""
    converged: Bool[Tensor, " b"]


def iteration_limit(epsilon: float) -> int:
    """Default iteration limit: 100 at epsilon >= 0.1, else 2,000."""
    return 100 if epsilon >= 0.1 else 2000


def sinkhorn(
    cost: Float[Tensor, "*batch n m"],
    *,
    epsilon: float,
    max_iterations: int | None = None,
    tolerance: float = 1e-4,
    marginals: tuple[Float[Tensor, "*#batch n"], Float[Tensor, "*#batch m"]] | None = None,
    gradient: Gradient = "detached",
) -> Transport:
    """Entropic transport plan between two histograms (MGCL Eq. 5-8; Cuturi 2013).

    Each problem stops at its own convergence, independently of the others: a batch differs from a loop by rounding.

    Args:
        cost: C, shape (*batch, n, m), any real unit; computed in float32 or wider.
        epsilon: temperature of the kernel exp(-C / epsilon), > 0, in the unit of ``cost``.
        max_iterations: at least 1; None allows 100 at epsilon >= 0.1 and 2,000 below.
        tolerance: > 0; a problem has converged once max_i |(T 1)_i - p_i| / p_i is at most this. The error is checked
            every eight iterations; the column marginal is exact after each iteration.
        marginals: p, shape (*batch, n) or (n,), and q, shape (*batch, m) or (m,); positive, with sum 1, and constants
            for the gradient. None: uniform, as in the paper.
        gradient: "detached" treats the plan as a constant, as the paper's code family does; "exact"
            differentiates the converged plan with respect to its cost by the implicit function theorem.

    Returns:
        Transport with plan (*batch, n, m), marginal_error, iterations and converged (*batch,).

    Raises:
        ValueError: epsilon, tolerance, max_iterations, a marginal or a shape is out of range; the message names the
            value. A NaN in the cost raises nothing: the plan of its problem is NaN and has not converged.
    """
    limit = iteration_limit(epsilon) if max_iterations is None else max_iterations
    if cost.dim() < 2 or 0 in cost.shape[-2:]:
        raise ValueError(f"cost needs at least one row and one column a problem, got {tuple(cost.shape)}")
    *batch, n, m = cost.shape
    problems = cost.detach()
    if not problems.is_floating_point() or problems.dtype in (torch.float16, torch.bfloat16):
        problems = problems.float()
    if gradient not in get_args(Gradient):
        raise ValueError(f"gradient must be one of {', '.join(map(repr, get_args(Gradient)))}, got {gradient!r}")
    if marginals is not None:
        p, q = marginals
        marginals = _marginal(p, "row", batch, n).to(problems), _marginal(q, "column", batch, m).to(problems)
    solved = solve(
        problems.reshape(-1, n, m).permute(1, 2, 0),
        epsilon=epsilon,
        max_iterations=limit,
        tolerance=tolerance,
        marginals=marginals,
    )
    plan = solved.plan.permute(2, 0, 1).reshape(cost.shape)
    if gradient == "exact":
        plan = attach_exact_gradient(cost, plan, epsilon)
    return Transport(plan, *(each.reshape(batch) for each in solved[1:]))


def solve(
    cost: Float[Tensor, "n m b"],
    *,
    epsilon: float,
    max_iterations: int,
    tolerance: float,
    marginals: tuple[Float[Tensor, "n b"], Float[Tensor, "m b"]] | None = None,
) -> Transport:
    """Solve like ``sinkhorn``, with the problem index last, as the solver works.

    The fields of the result have shapes (n, m, b), (b,), (b,) and (b,). A compiled kernel solves small problems of
    float32 on a CPU; it takes the same steps, and differs by rounding.
    """
    _check(epsilon, max_iterations, tolerance)
    if _is_compiled(cost):
        _, _, error, iterations, plan = _compiled(cost, epsilon, max_iterations, tolerance, marginals, plans=True)
        return Transport(plan, error, iterations, error <= tolerance)
    n, m, count = cost.shape
    tile = max(1, (_CPU_TILE if cost.device.type == "cpu" else _GPU_TILE) // (n * m))
    p, q = marginals or _uniform(cost)
    plan = torch.empty_like(cost, memory_format=torch.contiguous_format)
    error = cost.new_empty(count)
    iterations = torch.empty(count, dtype=torch.int64, device=cost.device)
    going, start, spent = torch.arange(count, device=cost.device), None, 0
    while going.numel():
        steps = min(_ROUND, max_iterations - spent)
        starts = repeat(None) if start is None else torch.split(start, tile, -1)
        tiles = zip(*(torch.split(whole, tile, -1) for whole in (going, cost, p, q)), starts, strict=False)
        rounds = []
        for index, (problems, *each) in enumerate(tiles):
            solved, *state = _round(*each, steps=steps, epsilon=epsilon)
            rounds.append(state)
            if spent:
                plan.index_copy_(-1, problems, solved)
            else:  # every problem, in order
                plan[..., index * tile : index * tile + len(problems)] = solved
        spent += steps
        now, start = (torch.cat(each, -1) for each in zip(*rounds, strict=True))
        error[going], iterations[going] = now, spent
        left = ((now > tolerance) & (spent < max_iterations)).nonzero()[:, 0]
        going, cost = going[left], _chosen(cost, left)
        start, p, q = (whole.index_select(-1, left) for whole in (start, p, q))
    return Transport(plan, error, iterations, error <= tolerance)


def summarise(cost: Float[Tensor, "n m b"], *, epsilon: float, max_iterations: int, tolerance: float) -> Summary:
    """Solve like ``solve``, between uniform histograms, and return what a similarity needs of the plans."""
    _check(epsilon, max_iterations, tolerance)
    if _is_compiled(cost):
        similarities, entropies, error, *_ = _compiled(cost, epsilon, max_iterations, tolerance, None, plans=False)
        return Summary(similarities, entropies, error <= tolerance)
    solved = solve(cost, epsilon=epsilon, max_iterations=max_iterations, tolerance=tolerance)
    similarities = (solved.plan * (1 - cost)).sum((0, 1))
    return Summary(similarities, torch.special.entr(solved.plan).sum((0, 1)), solved.converged)


def _is_compiled(cost: Tensor) -> bool:
    return cost.device.type == "cpu" and cost.dtype == torch.float32 and cost.shape[:2].numel() <= _COMPILED


def _compiled(
    cost: Tensor,
    epsilon: float,
    max_iterations: int,
    tolerance: float,
    marginals: tuple[Tensor, Tensor] | None,
    *,
    plans: bool,
) -> list[Tensor]:
    """Fields of ``compiled.Solved`` as tensors."""
    from mgcl.transport import compiled  # numba takes a while to load, and a GPU does without

    p, q = marginals or _uniform(cost)
    solved = compiled.solve(
        cost.detach().numpy(),
        p.numpy(),
        q.numpy(),
        epsilon=epsilon,
        max_iterations=max_iterations,
        tolerance=tolerance,
        steps=_ROUND,
        plans=plans,
    )
    return [torch.from_numpy(each) for each in solved]


def _uniform(cost: Tensor) -> tuple[Tensor, Tensor]:
    n, m, count = cost.shape
    return cost.new_full((n, 1), 1 / n).expand(n, count), cost.new_full((m, 1), 1 / m).expand(m, count)


def _chosen(cost: Tensor, problems: Tensor) -> Tensor:
    """Copy some of the problems; a problem is copied in one piece if its numbers are adjacent in memory."""
    if cost.stride(-1) == 1:
        return cost.index_select(-1, problems)
    return cost.movedim(-1, 0).index_select(0, problems).movedim(0, -1)


def _marginal(marginal: Tensor, name: str, batch: list[int], size: int) -> Tensor:
    """Return one checked marginal per problem, shape (size, problems)."""
    try:
        each = marginal.detach().expand(*batch, size).reshape(-1, size)
    except RuntimeError:
        raise ValueError(
            f"the {name} marginal's shape {tuple(marginal.shape)} does not fit {(*batch, size)}, or ({size},)"
        ) from None
    if not (bool((each > 0).all()) and bool(((each.sum(-1) - 1).abs() < 1e-5).all())):
        raise ValueError(
            f"a {name} marginal must be positive and sum to 1; got one with smallest mass {each.min().item()} "
            f"and sums from {each.sum(-1).min().item()} to {each.sum(-1).max().item()}"
        )
    return each.T


def _check(epsilon: float, max_iterations: int, tolerance: float) -> None:
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon must be positive and finite, got {epsilon}")
    if not (isinstance(max_iterations, int) and max_iterations >= 1):
        raise ValueError(f"max_iterations must be a whole number, at least 1, got {max_iterations}")
    if not tolerance > 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}")


def _round(
    cost: Tensor, p: Tensor, q: Tensor, start: Tensor | None, *, steps: int, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Run some iterations from given potentials; return plan, error and new potentials (n + m, b).

    The first potentials are the row minima, and then the column minima of the rest. They leave a 1 in every row and
    column of the kernel, so that exp cannot underflow a whole row, however small epsilon is. They do not change the
    plan.
    """
    n = len(cost)
    cost = cost.flatten(0, 1).contiguous().view_as(cost)
    f = cost.amin(1) if start is None else start[:n]
    product = f[:, None] - cost
    g = -product.amax(0) if start is None else start[n:]
    kernel = torch.add(product, g).mul_(1 / epsilon).exp_()
    row_sums = kernel.sum(1)
    for _ in range(steps):
        u = p / row_sums
        v = q / torch.mul(kernel, u[:, None], out=product).sum(0)
        row_sums = torch.mul(kernel, v, out=product).sum(1)
    error = (u * row_sums / p - 1).abs().amax(0)
    return product.mul_(u[:, None]), error, torch.cat([f + epsilon * u.log(), g + epsilon * v.log()])
