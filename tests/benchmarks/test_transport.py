"""Transport beside POT, at the same tolerance and the same limit, which are mgcl's own at this epsilon."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mgcl.transport.cost import pairwise_cosine
from mgcl.transport.sinkhorn import iteration_limit, sinkhorn
from tests.numerics.problems import hard_costs

PROBLEMS, LOOPED, CHECKED = 20_000, 400, 4_000
LIMIT = iteration_limit(0.1)
GROUP = "{:,} problems of 16 x 16, {} costs, epsilon 0.1, relative marginal error 1e-4"
# POT bounds the 2-norm of the absolute marginal error: so it is at least as exact as mgcl.
POT_TOLERANCE = 1e-4 / 16


@pytest.fixture(scope="module", params=["real", "hard"])
def costs(request) -> tuple[str, Tensor]:
    if request.param == "hard":
        return "hard", hard_costs(PROBLEMS, 16, 16)
    segments = torch.from_numpy(request.getfixturevalue("real_bank").segment_embeddings.copy())
    random = torch.Generator().manual_seed(0)
    x, y = (segments[torch.randint(len(segments), (count,), generator=random)] for count in (200, 100))
    return "real", (1 - pairwise_cosine(x, y)).permute(2, 3, 0, 1).reshape(PROBLEMS, 16, 16).contiguous()


def accuracy(costs: Tensor, epsilon: float) -> str:
    """The similarity's error where it says that it converged, and the share where it does not."""
    some = costs[:CHECKED]
    solved = sinkhorn(some, epsilon=epsilon)
    exact = sinkhorn(some.double(), epsilon=epsilon, tolerance=1e-10, max_iterations=100_000).plan.to(some.device)
    error = ((solved.plan - exact) * (1 - some)).sum((-1, -2)).abs()[solved.converged]
    missed = 1 - solved.converged.float().mean().item()
    return f"largest error {error.max().item():.1e} against float64 to 1e-10, {missed:.2%} unconverged"


def test_mgcl(timed, costs, device) -> None:
    name, cost = costs[0], costs[1].to(device)
    facts = {f"epsilon {epsilon}": accuracy(cost, epsilon) for epsilon in (0.05, 0.1, 0.5)}
    finite = bool(sinkhorn(cost, epsilon=0.005).plan.isfinite().all())
    facts["epsilon 0.005"] = "every plan finite" if finite else "PLANS NOT FINITE"
    timed(GROUP.format(PROBLEMS, name), f"mgcl {device}", lambda: sinkhorn(cost, epsilon=0.1),
          **facts)  # fmt: skip


def test_pot_batched(timed, costs) -> None:
    ot = pytest.importorskip("ot")
    name, cost = costs
    timed(
        GROUP.format(PROBLEMS, name),
        "POT solve_batch, method sinkhorn",
        lambda: ot.solve_batch(cost, reg=0.1, max_iter=LIMIT, tol=POT_TOLERANCE, method="sinkhorn"),
    )


def test_pot_loop(timed, costs) -> None:
    ot = pytest.importorskip("ot")
    name, cost = costs
    uniform, some = np.full(16, 1 / 16), cost[:LOOPED].double().numpy()

    def loop() -> None:
        for each in some:
            ot.sinkhorn(uniform, uniform, each, 0.1, numItermax=LIMIT, stopThr=POT_TOLERANCE, warn=False)

    scale = PROBLEMS / LOOPED
    timed(GROUP.format(PROBLEMS, name), "a loop of POT sinkhorn, NumPy", loop, scale=scale,
          extrapolated=f"from {LOOPED} problems")  # fmt: skip
