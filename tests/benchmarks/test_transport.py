"""Transport side by side with POT, in one run, on one thread: `make bench`."""

import ot
import pytest

from mgcl.transport import sinkhorn
from tests.numerics.problems import cosine_costs, hard_costs

PROBLEMS = 4000
COSTS = {"easy": cosine_costs(PROBLEMS, 16, 16), "hard": hard_costs(PROBLEMS, 16, 16)}


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("solver", ["mgcl", "pot-batched"])
def test_sinkhorn(benchmark, solver, costs) -> None:
    benchmark.group = f"sinkhorn, {PROBLEMS} {costs} problems of 16 x 16, epsilon 0.1, tolerance 1e-4"
    cost = COSTS[costs]
    if solver == "mgcl":
        benchmark.pedantic(lambda: sinkhorn(cost, epsilon=0.1, max_iterations=2000), rounds=5, warmup_rounds=1)
    else:
        benchmark.pedantic(
            lambda: ot.solve_batch(cost, reg=0.1, max_iter=2000, tol=1e-4, method="sinkhorn"), rounds=5, warmup_rounds=1
        )
