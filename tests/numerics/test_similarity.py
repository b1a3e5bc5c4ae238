"""All-pairs similarity against one pair at a time, and its limits."""

import math
import sys

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgcl.transport.cost import inner, pairwise_cosine, unit
from mgcl.transport.matching import Matching
from mgcl.transport.similarity import plans, similarity

RANDOM = torch.Generator().manual_seed(0)
X, Y = unit(torch.randn(5, 6, 12, generator=RANDOM)), unit(torch.randn(9, 4, 12, generator=RANDOM))
KINDS = ("transport", "uniform", "best-match")


def reference(x: np.ndarray, y: np.ndarray, epsilon: float, entropy_weight: float) -> float:
    """One pair, in float64, by POT."""
    cosines = x @ y.T
    n, m = cosines.shape
    plan = ot.sinkhorn(np.full(n, 1 / n), np.full(m, 1 / m), 1 - cosines, epsilon, "sinkhorn_log",
                       numItermax=100_000, stopThr=1e-12)  # fmt: skip
    return float((plan * cosines).sum() - entropy_weight / math.log(n * m) * (plan * np.log(plan)).sum())


@pytest.mark.parametrize("entropy_weight", [0.0, 0.3])
@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.5])
def test_transport_is_pots_pair_by_pair(epsilon, entropy_weight) -> None:
    matching = Matching(epsilon=epsilon, tolerance=1e-6, entropy_weight=entropy_weight)
    got = similarity(X[:2], Y[:3], matching)
    assert got.converged.all()
    for i, j in np.ndindex(2, 3):
        expected = reference(X[i].double().numpy(), Y[j].double().numpy(), epsilon, entropy_weight)
        assert got.value[i, j].item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("kind", ["transport", "uniform"])
def test_similarity_is_symmetric(kind) -> None:
    matching = Matching(kind, tolerance=1e-6)
    assert similarity(X, Y, matching).value.numpy() == pytest.approx(
        similarity(Y, X, matching).value.T.numpy(), abs=1e-6
    )


def test_uniform_is_transport_at_infinite_epsilon() -> None:
    uniform, blurred = similarity(X, Y, Matching("uniform")), similarity(X, Y, Matching(epsilon=1e5))
    assert uniform.value.numpy() == pytest.approx(blurred.value.numpy(), abs=1e-5)
    assert uniform.value.numpy() == pytest.approx((X.mean(1) @ Y.mean(1).T).numpy(), abs=1e-6)


def test_best_match_takes_the_closest_segment() -> None:
    for matched, x, y in (
        (similarity(X, Y, Matching("best-match")), X, Y),
        (similarity(Y, X, Matching("best-match")), Y, X),
    ):
        for i, j in np.ndindex(len(x), len(y)):
            assert matched.value[i, j].item() == pytest.approx((x[i] @ y[j].T).amax(1).mean().item(), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_identical_and_opposite_vectors(kind) -> None:
    x = unit(torch.randn(1, 1, 12, generator=RANDOM)).expand(1, 4, 12)
    assert similarity(x, x, Matching(kind)).value.item() == pytest.approx(1, abs=1e-6)
    assert similarity(x, -x, Matching(kind)).value.item() == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_clip_is_like_nothing(kind) -> None:
    assert similarity(unit(torch.zeros(2, 6, 12)), Y, Matching(kind)).value.abs().max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_one_segment_each_is_the_cosine(kind) -> None:
    matching = Matching(kind, entropy_weight=0.5)
    assert similarity(X[:, :1], Y[:, :1], matching).value.numpy() == pytest.approx(
        inner(X[:, 0], Y[:, 0]).numpy(), abs=1e-6
    )


@given(n=st.integers(1, 6), m=st.integers(1, 6), weight=st.floats(0, 2))
@settings(max_examples=20)
def test_the_entropy_term_lies_in_its_bounds(n, m, weight) -> None:
    x, y = X[:, :1].expand(5, n, 12), Y[:, :1].expand(9, m, 12)
    plain, weighted = (similarity(x, y, Matching(entropy_weight=each)).value for each in (0.0, weight))
    gain = (weighted - plain).numpy()
    low = weight * math.log(max(n, m)) / math.log(n * m) if n * m > 1 else 0
    assert gain.min() >= low - 1e-5
    assert gain.max() <= weight + 1e-5


def test_clips_without_segments_are_refused() -> None:
    with pytest.raises(ValueError, match="a clip without segments cannot be matched"):
        similarity(X[:, :0], Y)


def test_unconverged_problems_are_named() -> None:
    got = similarity(X, Y, Matching(epsilon=0.02, max_iterations=1))
    assert not got.converged.all()


def test_plans_are_those_behind_the_similarity() -> None:
    matching = Matching(epsilon=0.1)
    got = (plans(X, Y, matching) * pairwise_cosine(X, Y).permute(2, 3, 0, 1)).sum((-1, -2))
    assert got.numpy() == pytest.approx(similarity(X, Y, matching).value.numpy(), abs=1e-6)


@pytest.mark.parametrize("gradient", ["detached", "exact"])
@pytest.mark.parametrize("entropy_weight", [0.0, 0.4])
def test_the_gradient_is_what_it_says(gradient, entropy_weight) -> None:
    """Exact: the derivative of the whole. Detached: the plan is a constant, whatever the entropy weighs."""
    x, y = X[:1].double().requires_grad_(), Y[:2].double()
    matching = Matching(
        epsilon=0.2, tolerance=1e-12, max_iterations=20_000, entropy_weight=entropy_weight, gradient=gradient
    )
    if gradient == "exact":
        assert torch.autograd.gradcheck(lambda x: similarity(x, y, matching).value, (x,), atol=1e-6)
        return
    (slope,) = torch.autograd.grad(similarity(x, y, matching).value.sum(), x)
    constant = plans(x.detach(), y, matching)
    toward = torch.einsum("abnm,bmd->and", constant, y)
    across = toward - (toward * x).sum(-1, keepdim=True) * x  # a cosine does not feel a vector's length
    assert slope.detach().numpy() == pytest.approx(across.detach().numpy(), abs=1e-7)


def test_zero_vectors_stay_zero_and_have_a_tame_gradient() -> None:
    x = torch.zeros(3, 4).requires_grad_()
    unit(x).sum().backward()
    assert torch.equal(unit(x), torch.zeros(3, 4))
    assert x.grad is not None
    assert x.grad.abs().max() <= 1


def test_units_have_length_one() -> None:
    lengths = unit(torch.randn(50, 7) * torch.logspace(-20, 15, 50)[:, None]).norm(dim=-1)
    assert lengths.numpy() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stack", [(), (3,)])
def test_blocks_and_stacks_change_nothing(kind, stack, monkeypatch) -> None:
    x, y = X.expand(*stack, *X.shape), Y.expand(*stack, *Y.shape)
    whole = similarity(x, y, Matching(kind))
    monkeypatch.setattr(sys.modules["mgcl.transport.similarity"], "_COLUMNS", 2)
    monkeypatch.setattr(sys.modules["mgcl.transport.similarity"], "_CPU_NUMBERS", 100)
    blocks = similarity(x, y, Matching(kind))
    assert blocks.value.shape == whole.value.shape == (*stack, 5, 9)
    assert blocks.value.numpy() == pytest.approx(whole.value.numpy(), abs=1e-6)
    assert torch.equal(blocks.converged, whole.converged)
    graded = similarity(x.clone().requires_grad_(), y, Matching(kind))
    assert graded.value.detach().numpy() == pytest.approx(whole.value.numpy(), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_clips_have_no_similarities(kind) -> None:
    assert similarity(X[:0], Y, Matching(kind)).value.shape == (0, 9)
    assert similarity(X, Y[:0], Matching(kind)).value.shape == (5, 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_solved_in_float32(dtype) -> None:
    x, y = X.to(dtype), Y.to(dtype)
    got, expected = similarity(x, y), similarity(x.float(), y.float())
    assert torch.equal(got.value, expected.value)
    assert torch.equal(got.converged, expected.converged)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "optimal"},
        {"gradient": "x"},
        {"entropy_weight": -1.0},
        {"epsilon": 0.0},
        {"tolerance": -1.0},
        {"max_iterations": 0},
        {"epsilon": "0.1"},
    ],
)
def test_a_matching_that_is_none_is_refused(wrong) -> None:
    (field,) = wrong
    name = {"kind": "matching"}.get(field, field)  # as users know it
    with pytest.raises(ValueError, match=f"{name} must be"):
        Matching(**wrong)
