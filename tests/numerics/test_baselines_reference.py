"""Each baseline against a slow one written from its paper's formula: float64, clip by clip, no shared code."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from mgcl.catalogue import load
from mgcl.methods.method import ClipFeatures, Support
from mgcl.parameters import from_flat
from tests.numerics.conftest import QUERIES, SHOT, WAY, D

CLIPS = range(WAY * QUERIES)


def logits(name: str, support: Support, query: ClipFeatures, **changes: float) -> np.ndarray:
    method = load("method", name)
    predicted: np.ndarray = method.predict(
        method.fit(support, from_flat(method.Parameters, changes)), query
    ).logits.numpy()
    return predicted


def classes(values: np.ndarray) -> np.ndarray:
    """Support rows come class by class."""
    return values.reshape(WAY, SHOT, -1)


def test_prototypical(support, query) -> None:
    expected = np.empty((len(CLIPS), WAY))
    for i in CLIPS:
        for k, clips in enumerate(classes(support.clips.clip.double().numpy())):
            prototype = sum(clips) / SHOT
            expected[i, k] = -sum((a - b) ** 2 for a, b in zip(query.clip[i].tolist(), prototype, strict=True))
    assert logits("prototypical", support, query) == pytest.approx(expected, abs=1e-5)


def test_matching(support, query) -> None:
    expected = np.empty((len(CLIPS), WAY))
    keys = support.clips.clip.double().numpy()
    for i in CLIPS:
        q = query.clip[i].double().numpy()
        drawn = [math.exp(q @ key / np.linalg.norm(q) / np.linalg.norm(key)) for key in keys]
        for k in range(WAY):
            expected[i, k] = math.log(sum(drawn[k * SHOT : (k + 1) * SHOT]) / sum(drawn))
    assert logits("matching", support, query) == pytest.approx(expected, abs=1e-5)


def cached(attention: np.ndarray, support: Support, query: ClipFeatures, alpha: float, beta: float) -> np.ndarray:
    """Zero-shot logits plus alpha times exp(-beta (1 - attention)) summed over each class's keys."""
    expected = np.empty((len(CLIPS), WAY))
    for i in CLIPS:
        for k in range(WAY):
            text = support.logit_scale * float(query.clip[i].double() @ support.prompts[k].double())
            keys = attention[i, k * SHOT : (k + 1) * SHOT]
            expected[i, k] = text + alpha * sum(math.exp(-beta * (1 - a)) for a in keys)
    return expected


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 5.5), (3.0, 1.0)])
@pytest.mark.parametrize("name", ["tip_adapter", "treff_adapter"])
def test_training_free_adapters(name, alpha, beta, support, query) -> None:
    attention = (query.clip.double() @ support.clips.clip.double().T).numpy()
    expected = cached(attention, support, query, alpha, beta)
    assert logits(name, support, query, alpha=alpha, beta=beta, epochs=0) == pytest.approx(expected, abs=1e-4)


def trained(layer: nn.Linear, attention, support: Support, learning_rate: float, epochs: int) -> None:
    """AdamW by its own formula (Loshchilov and Hutter 2019), under a half cosine."""
    weight, decay, eps = layer.weight, 0.01, 1e-4
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    clips, prompts = support.clips.clip.double(), support.prompts.double()
    labels = torch.arange(WAY).repeat_interleave(SHOT)
    for step in range(1, epochs + 1):
        rate = learning_rate * (1 + math.cos(math.pi * (step - 1) / epochs)) / 2
        affinities = torch.exp(-5.5 * (1 - attention(layer, clips)))
        scores = affinities @ torch.eye(WAY, dtype=torch.float64)[labels] + support.logit_scale * clips @ prompts.T
        (slope,) = torch.autograd.grad(nn.functional.cross_entropy(scores, labels), weight)
        with torch.no_grad():
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            step_size = first / (1 - 0.9**step) / ((second / (1 - 0.999**step)).sqrt() + eps)
            weight.copy_((1 - rate * decay) * weight - rate * step_size)


def test_tip_adapter_f(support, query) -> None:
    layer = nn.Linear(D, WAY * SHOT, bias=False, dtype=torch.float64)
    layer.weight.data = support.clips.clip.double()
    trained(layer, lambda keys, clips: keys(clips), support, 0.05, 6)
    expected = cached(layer(query.clip.double()).detach().numpy(), support, query, 1.0, 5.5)
    untrained = logits("tip_adapter", support, query)
    assert abs(expected - untrained).max() > 0.05
    got = logits("tip_adapter", support, query, epochs=6, learning_rate=0.05)
    assert got == pytest.approx(expected, abs=2e-4)


def test_treff_adapter(support, query) -> None:
    layer = nn.Linear(D, D, bias=False, dtype=torch.float64)
    layer.weight.data = torch.eye(D, dtype=torch.float64)

    def attention(layer: nn.Linear, clips: torch.Tensor) -> torch.Tensor:
        return layer(clips) @ layer(support.clips.clip.double()).T

    trained(layer, attention, support, 0.05, 6)
    expected = cached(attention(layer, query.clip.double()).detach().numpy(), support, query, 1.0, 5.5)
    untrained = logits("treff_adapter", support, query, epochs=0)
    assert abs(expected - untrained).max() > 0.05
    got = logits("treff_adapter", support, query, epochs=6, learning_rate=0.05)
    assert got == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("name", "wrong"), [("tip_adapter", {"alpha": -1.0}), ("treff_adapter", {"beta": math.nan})])
def test_wrong_parameters_are_refused(name, wrong) -> None:
    (field,) = wrong
    with pytest.raises(ValueError, match=f"{field} must be at least 0 and finite"):
        from_flat(load("method", name).Parameters, wrong)
