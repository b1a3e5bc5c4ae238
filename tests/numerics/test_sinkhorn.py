"""The laws of Sinkhorn's plan: closed form, limits, symmetry, and POT."""

import sys

import numpy as np
import ot
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mgcl.transport.sinkhorn import iteration_limit, sinkhorn, solve, summarise
from tests.numerics.problems import cosine_costs, hard_costs, two_by_two

COUNT = 6
SETS = {name: make(COUNT, 16, m) for name, make, m in (
    ("easy", cosine_costs, 16), ("hard", hard_costs, 16), ("oblong", cosine_costs, 8))}  # fmt: skip


@given(
    cost=st.lists(st.floats(-2, 2), min_size=4, max_size=4),
    epsilon=st.sampled_from([0.05, 0.1, 0.5, 1.0, 10.0]),
)
@settings(max_examples=30)
def test_two_by_two_is_the_closed_form(cost, epsilon) -> None:
    matrix = np.array(cost).reshape(2, 2)
    # Beyond this one pairing is all but forbidden, and Sinkhorn's iteration too slow for a closed form to test.
    assume(abs(matrix[0, 0] + matrix[1, 1] - matrix[0, 1] - matrix[1, 0]) <= 10 * epsilon)
    solved = sinkhorn(torch.from_numpy(matrix).float(), epsilon=epsilon, tolerance=1e-6, max_iterations=20_000)
    assert solved.converged
    assert solved.plan.numpy() == pytest.approx(two_by_two(matrix, epsilon), abs=2e-5)


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("name", SETS)
def test_the_plan_is_pots(name, epsilon) -> None:
    costs = SETS[name]
    solved = sinkhorn(costs, epsilon=epsilon, tolerance=1e-6, max_iterations=20_000)
    n, m = costs.shape[1:]
    for cost, plan, converged in zip(costs.double().numpy(), solved.plan.numpy(), solved.converged, strict=True):
        assert converged
        reference = ot.sinkhorn(
            np.full(n, 1 / n), np.full(m, 1 / m), cost, epsilon, "sinkhorn_log", numItermax=100_000, stopThr=1e-12
        )
        assert plan == pytest.approx(reference, abs=2e-6)


def test_the_default_tolerance_holds_the_similarity_to_1e_4() -> None:
    for costs in SETS.values():
        coarse = sinkhorn(costs, epsilon=0.1, max_iterations=2000)
        exact = sinkhorn(costs.double(), epsilon=0.1, tolerance=1e-10, max_iterations=100_000)
        gap = ((coarse.plan - exact.plan) * costs).sum((-1, -2)).abs()
        assert coarse.converged.all()
        assert gap.max() < 1e-4


@pytest.mark.parametrize("name", SETS)
def test_marginals_are_uniform(name) -> None:
    n, m = SETS[name].shape[1:]
    solved = sinkhorn(SETS[name], epsilon=0.1, max_iterations=2000)
    assert solved.plan.sum(-2).numpy() == pytest.approx(1 / m, rel=1e-5)
    error = (solved.plan.sum(-1) * n - 1).abs().amax(-1)
    assert error.numpy() == pytest.approx(solved.marginal_error.numpy(), abs=1e-6)
    assert solved.marginal_error.max() <= 1e-4


def test_epsilon_to_zero_is_unregularised_transport() -> None:
    costs = cosine_costs(8, 6, 6, d=4)
    solved = sinkhorn(costs, epsilon=0.005, tolerance=1e-4, max_iterations=100_000)
    n = costs.shape[1]
    for cost, plan in zip(costs.double().numpy(), solved.plan.numpy(), strict=True):
        exact = ot.emd2(np.full(n, 1 / n), np.full(n, 1 / n), cost)
        assert -1e-4 < (plan * cost).sum() - exact < 0.005 * np.log(n)


def test_epsilon_to_infinity_is_the_product_of_the_marginals() -> None:
    plan = sinkhorn(SETS["oblong"], epsilon=1e5).plan
    assert plan.numpy() == pytest.approx(1 / (16 * 8), rel=1e-4)


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
@pytest.mark.parametrize("name", SETS)
def test_given_marginals_are_pots(name, epsilon) -> None:
    costs = SETS[name]
    random = torch.Generator().manual_seed(2)
    p, q = (0.02 + torch.rand(len(costs), size, generator=random) for size in costs.shape[1:])
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    solved = sinkhorn(costs, epsilon=epsilon, tolerance=1e-6, max_iterations=50_000, marginals=(p, q))
    assert solved.converged.all()
    assert solved.plan.sum(-2).numpy() == pytest.approx(q.numpy(), rel=1e-5)
    for i in range(0, len(costs), 5):
        a, b = (each[i].double().numpy() for each in (p, q))
        reference = ot.sinkhorn(a / a.sum(), b / b.sum(), costs[i].double().numpy(), epsilon, "sinkhorn_log",
                                numItermax=100_000, stopThr=1e-12)  # fmt: skip
        assert solved.plan[i].numpy() == pytest.approx(reference, abs=3e-6)


def test_uniform_marginals_are_the_default() -> None:
    uniform = torch.full((16,), 1 / 16), torch.full((8,), 1 / 8)
    given = sinkhorn(SETS["oblong"], epsilon=0.1, marginals=uniform)
    assert torch.equal(given.plan, sinkhorn(SETS["oblong"], epsilon=0.1).plan)


@pytest.mark.parametrize("p", [[0.5, 0.6], [1.0, 0.0], [1.5, -0.5], [float("nan"), 1.0]])
def test_marginals_that_are_none_are_refused(p) -> None:
    with pytest.raises(ValueError, match="a row marginal must be positive and sum to 1"):
        sinkhorn(torch.rand(2, 2), epsilon=0.1, marginals=(torch.tensor(p), torch.tensor([0.5, 0.5])))


def test_marginals_are_constants_for_the_gradient() -> None:
    p = torch.tensor([0.4, 0.6]).requires_grad_()
    cost = torch.rand(2, 2).requires_grad_()
    plan = sinkhorn(cost, epsilon=0.1, marginals=(p, torch.tensor([0.5, 0.5])), gradient="exact").plan
    assert torch.autograd.grad(plan[0, 0], [cost, p], allow_unused=True)[1] is None


@pytest.mark.parametrize("epsilon", [0.1, 0.01, 0.005])
def test_nothing_is_ever_infinite_or_nan(epsilon) -> None:
    costs = torch.cat([SETS["easy"], SETS["hard"], 2 * torch.rand(COUNT, 16, 16), torch.eye(16).expand(1, 16, 16)])
    solved = sinkhorn(costs, epsilon=epsilon)
    assert solved.plan.isfinite().all()
    assert solved.marginal_error.isfinite().all()
    assert (solved.plan >= 0).all()


def test_shifting_rows_and_columns_changes_nothing() -> None:
    costs = SETS["easy"]
    random = torch.Generator().manual_seed(1)
    shifted = costs + torch.rand(COUNT, 16, 1, generator=random) + torch.rand(COUNT, 1, 16, generator=random) - 3
    first, second = (sinkhorn(each, epsilon=0.1, tolerance=1e-6).plan for each in (costs, shifted))
    assert first.numpy() == pytest.approx(second.numpy(), abs=1e-6)


def test_scaling_cost_and_epsilon_alike_changes_nothing() -> None:
    first, second = (sinkhorn(SETS["hard"] * scale, epsilon=0.1 * scale).plan for scale in (1, 8))
    assert torch.equal(first, second)


def test_permuting_segments_permutes_the_plan() -> None:
    rows, columns = torch.randperm(16), torch.randperm(16)
    plan = sinkhorn(SETS["easy"], epsilon=0.1, tolerance=1e-6).plan
    permuted = sinkhorn(SETS["easy"][:, rows][:, :, columns], epsilon=0.1, tolerance=1e-6).plan
    assert permuted.numpy() == pytest.approx(plan[:, rows][:, :, columns].numpy(), abs=1e-6)


def test_transposing_the_cost_transposes_the_plan() -> None:
    plan = sinkhorn(SETS["oblong"], epsilon=0.1, tolerance=1e-6).plan
    flipped = sinkhorn(SETS["oblong"].mT, epsilon=0.1, tolerance=1e-6).plan
    assert flipped.mT.numpy() == pytest.approx(plan.numpy(), abs=1e-6)


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_a_problem_is_solved_as_if_it_were_alone(epsilon) -> None:
    costs = torch.cat([SETS["easy"], SETS["hard"]])
    together = sinkhorn(costs, epsilon=epsilon)
    for index in range(0, len(costs), 5):
        alone = sinkhorn(costs[index], epsilon=epsilon)
        assert alone.iterations == together.iterations[index]
        assert alone.plan.numpy() == pytest.approx(together.plan[index].numpy(), rel=1e-5)


def test_more_problems_than_a_tile(monkeypatch) -> None:
    whole = sinkhorn(SETS["hard"], epsilon=0.1)
    monkeypatch.setattr(sys.modules["mgcl.transport.sinkhorn"], "_COMPILED", 0)
    monkeypatch.setattr(sys.modules["mgcl.transport.sinkhorn"], "_CPU_TILE", 4 * 256)
    tiled = sinkhorn(SETS["hard"], epsilon=0.1)
    assert torch.equal(tiled.iterations, whole.iterations)
    assert tiled.plan.numpy() == pytest.approx(whole.plan.numpy(), rel=1e-5)


@pytest.mark.parametrize(("epsilon", "limit"), [(0.1, 100), (0.05, 20), (0.005, 100)])
def test_the_compiled_kernel_takes_the_steps_of_torch(epsilon, limit, monkeypatch) -> None:
    """On more problems than it has lanes, of which some need more rounds than others, and one is not a number."""
    costs = hard_costs(70, 9, 16)
    costs[3, 2, 1] = torch.nan
    pairs_last, settings = costs.permute(1, 2, 0), {"epsilon": epsilon, "max_iterations": limit, "tolerance": 1e-4}
    compiled, brief = solve(pairs_last, **settings), summarise(pairs_last, **settings)
    monkeypatch.setattr(sys.modules["mgcl.transport.sinkhorn"], "_COMPILED", 0)
    plain, long = solve(pairs_last, **settings), summarise(pairs_last, **settings)
    assert len(plain.iterations.unique()) > 1
    assert torch.equal(compiled.iterations, plain.iterations)
    assert torch.equal(compiled.converged, plain.converged)
    assert torch.equal(brief.converged, long.converged)
    assert not compiled.converged[3]
    known = torch.arange(70) != 3
    assert compiled.plan[..., known].numpy() == pytest.approx(plain.plan[..., known].numpy(), abs=1e-6)
    assert brief.similarity[known].numpy() == pytest.approx(long.similarity[known].numpy(), abs=2e-6)
    assert (brief.entropy / long.entropy)[known].numpy() == pytest.approx(1, abs=1e-4)


def test_batch_dimensions_are_kept() -> None:
    solved = sinkhorn(SETS["oblong"].reshape(3, 1, 2, 16, 8), epsilon=0.1)
    assert solved.plan.shape == (3, 1, 2, 16, 8)
    assert solved.converged.shape == solved.iterations.shape == solved.marginal_error.shape == (3, 1, 2)


def test_no_problem_is_no_work() -> None:
    assert sinkhorn(torch.empty(0, 3, 4), epsilon=0.1).plan.shape == (0, 3, 4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_one_row_or_column_has_one_plan(shape) -> None:
    plan = sinkhorn(torch.rand(shape), epsilon=0.1).plan
    assert plan.numpy() == pytest.approx(1 / max(shape), rel=1e-6)


def test_double_stays_double() -> None:
    assert sinkhorn(SETS["easy"].double(), epsilon=0.1).plan.dtype == torch.float64
    assert sinkhorn(SETS["easy"].half(), epsilon=0.1).plan.dtype == torch.float32


def test_what_does_not_converge_is_said() -> None:
    solved = sinkhorn(SETS["hard"], epsilon=0.02, max_iterations=3)
    assert not solved.converged.all()
    assert (solved.converged == (solved.marginal_error <= 1e-4)).all()
    assert (solved.iterations == 3).all()


def test_the_iteration_limit_by_default() -> None:
    assert (iteration_limit(0.1), iteration_limit(0.0999)) == (100, 2000)


@settings(max_examples=6)
@given(n=st.integers(1, 4), m=st.integers(1, 4), seed=st.integers(0, 1000))
def test_the_exact_gradient_is_the_derivative_of_the_plan(n, m, seed) -> None:
    cost = cosine_costs(2, n, m, d=3, seed=seed).double().requires_grad_()

    def plan(cost: torch.Tensor) -> torch.Tensor:
        return sinkhorn(cost, epsilon=0.3, tolerance=1e-13, max_iterations=20_000, gradient="exact").plan

    assert torch.autograd.gradcheck(plan, (cost,), atol=1e-6)


def test_a_constant_plan_is_exact_for_the_regularised_value() -> None:
    """The envelope theorem: d/dC min_T <T, C> - epsilon h(T) is T itself."""
    cost = cosine_costs(1, 4, 5, seed=3)[0].double().requires_grad_()

    def value(cost: torch.Tensor) -> torch.Tensor:
        plan = sinkhorn(cost, epsilon=0.2, tolerance=1e-13, max_iterations=20_000, gradient="exact").plan
        return (plan * cost).sum() + 0.2 * (plan * plan.log()).sum()

    (slope,) = torch.autograd.grad(value(cost), cost)
    assert slope.numpy() == pytest.approx(sinkhorn(cost, epsilon=0.2, tolerance=1e-13).plan.numpy(), abs=1e-9)


def test_a_detached_plan_has_no_gradient() -> None:
    assert not sinkhorn(SETS["easy"].clone().requires_grad_(), epsilon=0.1).plan.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be positive and finite, got 0.0"),
        ({"epsilon": float("nan")}, "epsilon must be positive and finite, got nan"),
        ({"epsilon": 0.1, "max_iterations": 0}, "max_iterations must be a whole number, at least 1, got 0"),
        ({"epsilon": 0.1, "tolerance": 0.0}, "tolerance must be positive, got 0.0"),
    ],
)
def test_values_out_of_range_are_refused(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        sinkhorn(torch.rand(3, 3), **options)


def test_a_cost_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one row and one column a problem, got \(2, 0, 3\)"):
        sinkhorn(torch.rand(2, 0, 3), epsilon=0.1)
