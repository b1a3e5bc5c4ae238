"""The compiled kernel beside the torch one: same plans to 1e-6, same rounds, same answer to what is not finite."""

import numpy as np
import pytest
import torch

from mgcl.errors import MgclError
from mgcl.transport import pairwise
from mgcl.transport.matching import Matching
from mgcl.transport.sinkhorn import Transport, sinkhorn
from tests.numerics.problems import cosine_costs, hard_costs


def both(monkeypatch: pytest.MonkeyPatch, cost: torch.Tensor, **options) -> tuple[Transport, Transport]:
    """The torch kernel's answer, and the compiled one's."""
    monkeypatch.delenv("MGCL_TRANSPORT", raising=False)
    plain = sinkhorn(cost, **options)
    monkeypatch.setenv("MGCL_TRANSPORT", "compiled")
    return plain, sinkhorn(cost, **options)


@pytest.mark.parametrize("epsilon", [0.005, 0.05, 0.1, 0.5])
@pytest.mark.parametrize(
    "cost",
    [cosine_costs(70, 16, 16), hard_costs(130, 16, 16), hard_costs(3, 5, 2), cosine_costs(1, 1, 4)],
    ids=["easy", "hard", "oblong", "one row"],
)
def test_the_plans_are_those_of_torch(monkeypatch, cost, epsilon) -> None:
    plain, compiled = both(monkeypatch, cost, epsilon=epsilon)
    alike = plain.iterations == compiled.iterations
    assert alike.float().mean() > 0.9, "an error within rounding of the tolerance takes a round more or less"
    assert (plain.converged == compiled.converged)[alike].all()
    assert compiled.plan[alike].numpy() == pytest.approx(plain.plan[alike].numpy(), abs=1e-6)
    assert compiled.marginal_error[alike].numpy() == pytest.approx(plain.marginal_error[alike].numpy(), abs=2e-5)


def test_marginals_and_a_limit_that_ends_within_a_round(monkeypatch) -> None:
    random = torch.Generator().manual_seed(0)
    p, q = (torch.rand(size, generator=random) + 0.1 for size in (5, 4))
    plain, compiled = both(
        monkeypatch,
        hard_costs(6, 5, 4),
        epsilon=0.02,
        max_iterations=11,
        tolerance=1e-9,
        marginals=(p / p.sum(), q / q.sum()),
    )
    assert plain.iterations.max() == compiled.iterations.max() == 11
    assert compiled.plan.numpy() == pytest.approx(plain.plan.numpy(), abs=1e-6)


def test_a_problem_does_not_depend_on_its_neighbours(monkeypatch) -> None:
    monkeypatch.setenv("MGCL_TRANSPORT", "compiled")
    cost = hard_costs(100, 16, 16)
    together = sinkhorn(cost, epsilon=0.1).plan
    assert together[17:40].equal(sinkhorn(cost[17:40], epsilon=0.1).plan), "to the bit"
    spoilt = cost.clone()
    spoilt[3, 0, 0] = torch.nan
    solved = sinkhorn(spoilt, epsilon=0.1)
    assert solved.plan[3].isnan().any() and not solved.converged[3]
    rest = [index for index in range(100) if index != 3]
    assert solved.plan[rest].equal(together[rest])


def test_float64_stays_with_torch(monkeypatch) -> None:
    plain, compiled = both(monkeypatch, hard_costs(4, 6, 6).double(), epsilon=0.1, tolerance=1e-10)
    assert plain.plan.equal(compiled.plan)


def test_its_similarities_have_a_store_of_their_own(monkeypatch) -> None:
    names = {pairwise._identity("digest", "cpu", Matching(), compiled)[0] for compiled in (False, True)}
    assert len(names) == 2
    assert "solver" not in pairwise._identity("digest", "cpu", Matching(), compiled=False)[1], "older stores stay"
    segments = np.random.default_rng(0).normal(size=(6, 4, 8)).astype(np.float32)
    rows = np.arange(6)
    plain = pairwise.SimilarityStore(segments, np.zeros(6), digest="d").look_up(rows, rows, Matching())
    monkeypatch.setenv("MGCL_TRANSPORT", "compiled")
    compiled = pairwise.SimilarityStore(segments, np.zeros(6), digest="d").look_up(rows, rows, Matching())
    assert compiled.value.numpy() == pytest.approx(plain.value.numpy(), abs=1e-6)


def test_another_value_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("MGCL_TRANSPORT", "fast")
    with pytest.raises(MgclError, match="MGCL_TRANSPORT must be torch or compiled, got 'fast'"):
        sinkhorn(torch.rand(2, 2), epsilon=0.1)
