"""Entropic optimal transport by Sinkhorn's iteration: many small problems at once, in float32."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgcl.records import Gradient

# Iterations between two looks at the error. The scalings u and v start each round at 1 and spread by at most
# a factor n m an iteration, so that eight of them stay inside float32 up to n m = 60,000.
_ROUND = 8
# Problems solved together: more of them fall out of the processor's cache.
_TILE = 4096


class Transport(NamedTuple):
    """The plans of a batch of problems, with how well each was solved."""

    plan: Float[Tensor, "*batch n m"]
    marginal_error: Float[Tensor, "*batch"]
    iterations: Int[Tensor, "*batch"]
    converged: Bool[Tensor, "*batch"]


def iteration_limit(epsilon: float) -> int:
    """Iterations allowed when none are given: 100 at epsilon >= 0.1, else 2,000."""
    return 100 if epsilon >= 0.1 else 2000


def sinkhorn(
    cost: Float[Tensor, "*batch n m"],
    *,
    epsilon: float,
    max_iterations: int | None = None,
    tolerance: float = 1e-4,
    gradient: Gradient = "detached",
) -> Transport:
    """Entropic transport plan between two uniform histograms (MGCL Eq. 5-8; Cuturi 2013).

    Each problem stops at its own convergence, whatever stands beside it: a batch differs from a loop by rounding.

    Args:
        cost: C, shape (*batch, n, m), any real unit; computed in float32 or wider.
        epsilon: temperature of the kernel exp(-C / epsilon), > 0, in the unit of ``cost``.
        max_iterations: at least 1; None allows 100 at epsilon >= 0.1 and 2,000 below.
        tolerance: > 0; a problem has converged once max_i |(T 1)_i - 1/n| n is at most this. Looked at
            every eight iterations; the column marginal is exact after each.
        gradient: "detached" treats the plan as a constant, as the paper's code family does; "exact"
            differentiates the converged plan by the implicit function theorem.

    Returns:
        Transport with plan (*batch, n, m), marginal_error, iterations and converged (*batch,).

    Raises:
        ValueError: epsilon, tolerance, max_iterations or a shape is out of range; names the value. A NaN in the
            cost is no error: its problem comes back as NaN and not converged.
    """
    limit = iteration_limit(epsilon) if max_iterations is None else max_iterations
    if cost.dim() < 2 or 0 in cost.shape[-2:]:
        raise ValueError(f"cost needs at least one row and one column a problem, got {tuple(cost.shape)}")
    *batch, n, m = cost.shape
    problems = cost.detach().reshape(-1, n, m).permute(1, 2, 0)
    if not problems.is_floating_point() or problems.dtype in (torch.float16, torch.bfloat16):
        problems = problems.float()
    solved = solve(problems, epsilon=epsilon, max_iterations=limit, tolerance=tolerance)
    plan = solved.plan.permute(2, 0, 1).reshape(cost.shape)
    if gradient == "exact":
        plan = attach_exact_gradient(cost, plan, epsilon)
    return Transport(plan, *(each.reshape(batch) for each in solved[1:]))


def solve(cost: Float[Tensor, "n m b"], *, epsilon: float, max_iterations: int, tolerance: float) -> Transport:
    """The same with the problem index last, where the solver works; fields (n, m, b), (b,), (b,), (b,)."""
    _check(epsilon, max_iterations, tolerance)
    tiles = [_solve(tile, epsilon, max_iterations, tolerance) for tile in torch.split(cost, _TILE, dim=-1)]
    return Transport(*(torch.cat(field, dim=-1) for field in zip(*tiles, strict=True)))


def attach_exact_gradient(
    cost: Float[Tensor, "*batch n m"], plan: Float[Tensor, "*batch n m"], epsilon: float
) -> Float[Tensor, "*batch n m"]:
    """The plan, differentiable in the cost: its implicit derivative at the converged solution."""
    attached: Tensor = _ExactGradient.apply(cost, plan, epsilon)  # type: ignore[no-untyped-call]
    return attached


def _check(epsilon: float, max_iterations: int, tolerance: float) -> None:
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon must be positive and finite, got {epsilon}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
    if not tolerance > 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}")


def _solve(cost: Tensor, epsilon: float, limit: int, tolerance: float) -> Transport:
    n, _, count = cost.shape
    plan = torch.empty_like(cost, memory_format=torch.contiguous_format)
    error = cost.new_empty(count)
    iterations = torch.empty(count, dtype=torch.int64, device=cost.device)
    active = torch.arange(count, device=cost.device)
    # Potentials. Row minima, then column minima of the rest, leave a 1 in every row and column of the kernel:
    # exp cannot underflow a whole row, however small epsilon is, and the plan stays the same.
    f = cost.amin(1)
    g = (cost - f[:, None]).amin(0)
    spent = 0
    while active.numel():
        steps = min(_ROUND, limit - spent)
        spent += steps
        kernel = torch.exp((f[:, None] + g - cost) / epsilon)
        u, v, row_sums = _iterate(kernel, steps)
        now = (n * u * row_sums - 1).abs().amax(0)
        done = (now <= tolerance) | (spent == limit)
        finished, going = active[done], ~done
        plan[..., finished] = (u[:, None] * kernel * v)[..., done]
        error[finished] = now[done]
        iterations[finished] = spent
        active, cost = active[going], cost[..., going]
        f = (f + epsilon * u.log())[..., going]
        g = (g + epsilon * v.log())[..., going]
    return Transport(plan, error, iterations, error <= tolerance)


def _iterate(kernel: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scalings u (n, b) and v (m, b) after some steps from v = 1, and the row sums of kernel * v."""
    n, m, _ = kernel.shape
    row_sums = kernel.sum(1)
    for _ in range(steps):
        u = 1 / (n * row_sums)
        v = 1 / (m * (kernel * u[:, None]).sum(0))
        row_sums = (kernel * v).sum(1)
    return u, v, row_sums


class _ExactGradient(torch.autograd.Function):
    """dT/dC at a converged plan (Luise et al. 2018): the marginals pin the potentials' own change.

    With G the gradient at T: dL/dC = -(T / epsilon) (G - a 1' - 1 b'), where a and b solve
    [diag p, T; T', diag q][a; b] = [(T G) 1; (T G)' 1]. The system has one free constant, which
    the pseudo-inverse settles; where a plan is all but a permutation it has more.
    """

    @staticmethod
    def forward(ctx: Any, _cost: Tensor, plan: Tensor, epsilon: float) -> Tensor:
        ctx.save_for_backward(plan)
        ctx.epsilon = epsilon
        return plan.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        # In double: the system is ill-conditioned where epsilon is small.
        (gradient,) = gradients
        plan, upstream = ctx.saved_tensors[0].double(), gradient.double()
        weighted = plan * upstream
        rows, columns = weighted.sum(-1), weighted.sum(-2)
        p, q = plan.sum(-1), plan.sum(-2)
        scaled = plan / p[..., None]
        schur = torch.diag_embed(q) - plan.mT @ scaled
        right = columns[..., None] - scaled.mT @ rows[..., None]
        b = (torch.linalg.pinv(schur, rtol=1e-12, hermitian=True) @ right)[..., 0]
        a = (rows - (plan @ b[..., None])[..., 0]) / p
        slope = -plan / ctx.epsilon * (upstream - a[..., None] - b[..., None, :])
        return slope.to(gradient.dtype), None, None
