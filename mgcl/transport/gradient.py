"""Derivative of a converged transport plan with respect to its cost."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def attach_exact_gradient(
    cost: Float[Tensor, "*batch n m"], plan: Float[Tensor, "*batch n m"], epsilon: float
) -> Float[Tensor, "*batch n m"]:
    """Return the plan with a gradient to the cost: the implicit derivative at the converged solution."""
    attached: Tensor = _ExactGradient.apply(cost, plan, epsilon)  # type: ignore[no-untyped-call]
    return attached


class _ExactGradient(torch.autograd.Function):
    """Derivative dT/dC at a converged plan (Luise et al. 2018); the marginals determine the potentials' change.

    With G the gradient at T: dL/dC = -(T / epsilon) (G - a 1' - 1 b'), where a and b solve
    [diag p, T; T', diag q][a; b] = [(T G) 1; (T G)' 1]. The system has one free constant, which the pseudo-inverse
    fixes. It has more of them if the plan is nearly a permutation.
    """

    @staticmethod
    def forward(ctx: Any, _cost: Tensor, plan: Tensor, epsilon: float) -> Tensor:
        ctx.save_for_backward(plan)
        ctx.epsilon = epsilon
        return plan.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        # In float64: the system is ill-conditioned if epsilon is small.
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
