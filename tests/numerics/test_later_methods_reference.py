"""Each later method against a slow one written from its paper's formula: float64, no shared code."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from mgcl.catalogue import load
from mgcl.methods.method import ClipFeatures, Support
from tests.numerics.conftest import SHOT, WAY, D

LABELS = np.repeat(np.arange(WAY), SHOT)
ONE_HOT = np.eye(WAY)[LABELS]


def prediction(name: str, support: Support, query: ClipFeatures, **changes: float | str):
    method = load("method", name)
    return method.predict(method.fit(support, method.Parameters(**changes)), query)


def logits(name: str, support: Support, query: ClipFeatures, **changes: float | str) -> np.ndarray:
    found: np.ndarray = prediction(name, support, query, **changes).logits.numpy()
    return found


def arrays(support: Support, query: ClipFeatures) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Support clips, query clips and prompts."""
    return tuple(each.double().numpy() for each in (support.clips.clip, query.clip, support.prompts))  # type: ignore[return-value]


@pytest.mark.parametrize("neighbours", [1, 2])
def test_knn_is_scikit_learns(neighbours, support, query) -> None:
    keys, clips, _ = arrays(support, query)
    model = KNeighborsClassifier(neighbours, metric="cosine").fit(keys, LABELS)
    votes = prediction("knn", support, query, neighbours=neighbours).parts["votes"].numpy()
    assert votes == pytest.approx(model.predict_proba(clips), abs=1e-6)


def test_knn_of_as_many_votes_takes_the_nearest(support, query) -> None:
    keys, clips, _ = arrays(support, query)
    nearest = LABELS[(clips @ keys.T).argmax(1)]
    answers = logits("knn", support, query, neighbours=2)
    votes = prediction("knn", support, query, neighbours=2).parts["votes"].numpy()
    tied = (votes == votes.max(1, keepdims=True)).sum(1) > 1
    assert tied.any()
    assert (answers.argmax(1)[tied] == nearest[tied]).all()
    assert (votes[np.arange(len(votes)), answers.argmax(1)] == votes.max(1)).all()


@pytest.mark.parametrize("ridge", [0.1, 2.0])
def test_ridge_is_scikit_learns(ridge, support, query) -> None:
    keys, clips, _ = arrays(support, query)
    expected = Ridge(ridge, fit_intercept=False).fit(keys, ONE_HOT).predict(clips)
    assert logits("ridge", support, query, ridge=ridge) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("c", [0.5, 10.0])
def test_logistic_regression_is_scikit_learns(c, support, query) -> None:
    keys, clips, _ = arrays(support, query)
    model = LogisticRegression(C=c, fit_intercept=False, tol=1e-8, max_iter=1000).fit(keys, LABELS)
    assert logits("logistic_regression", support, query, c=c) == pytest.approx(model.decision_function(clips), abs=1e-3)


def test_the_cross_modal_probe_is_scikit_learns_with_the_prompts_as_samples(support, query) -> None:
    keys, clips, prompts = arrays(support, query)
    model = LogisticRegression(C=10.0, fit_intercept=False, tol=1e-8, max_iter=1000)
    weights = np.concatenate([np.ones(len(keys)), np.full(WAY, float(SHOT))])
    model.fit(np.concatenate([keys, prompts]), np.concatenate([LABELS, np.arange(WAY)]), weights)
    assert logits("cross_modal_probe", support, query, c=10.0) == pytest.approx(
        model.decision_function(clips), abs=1e-3
    )


def test_of_two_classes_the_probe_halves_scikit_learns_one_weight_vector(support, query) -> None:
    rows = LABELS < 2
    two = Support(
        ClipFeatures(*(getattr(support.clips, each)[: 2 * SHOT] for each in ("segments", "clip", "caption"))),
        support.labels[: 2 * SHOT], support.prompts[:2], support.explanations[:2], 1.0, support.seeds,
    )  # fmt: skip
    keys, clips, _ = arrays(support, query)
    model = LogisticRegression(C=10.0, fit_intercept=False, tol=1e-8, max_iter=1000).fit(keys[rows], LABELS[rows])
    half = model.decision_function(clips) / 2
    assert logits("logistic_regression", two, query) == pytest.approx(np.stack([-half, half], 1), abs=1e-3)


def test_gda(support, query) -> None:
    keys, clips, prompts = arrays(support, query)
    means = ONE_HOT.T @ keys / SHOT
    centred = keys - means[LABELS]
    covariance = np.cov(centred.T)
    inverse = D * np.linalg.pinv((len(keys) - 1) * covariance + np.trace(covariance) * np.eye(D))
    discriminant = clips @ inverse @ means.T - np.einsum("cd,de,ce->c", means, inverse, means) / 2
    expected = support.logit_scale * clips @ prompts.T + 0.3 * discriminant
    assert logits("gda", support, query, alpha=0.3) == pytest.approx(expected, abs=1e-3)


def one_shot(support: Support) -> Support:
    clips = ClipFeatures(*(getattr(support.clips, each)[::SHOT] for each in ("segments", "clip", "caption")))
    return Support(clips, torch.arange(WAY), support.prompts, support.explanations, 20.0, support.seeds)


def test_gda_at_one_shot_has_the_covariance_of_segments(support, query) -> None:
    single = one_shot(support)
    keys, clips, prompts = arrays(single, query)
    segments = single.clips.segments.double().numpy()
    centred = (segments - segments.mean(1, keepdims=True)).reshape(-1, D)
    scatter = centred.T @ centred
    inverse = D * np.linalg.inv(scatter + np.trace(scatter) / (len(centred) - 1) * np.eye(D))
    discriminant = clips @ inverse @ keys.T - np.einsum("cd,de,ce->c", keys, inverse, keys) / 2
    expected = 20.0 * clips @ prompts.T + 0.3 * discriminant
    assert logits("gda", single, query, alpha=0.3) == pytest.approx(expected, abs=1e-3)


def test_lp_plus_plus(support, query) -> None:
    keys, clips, prompts = arrays(support, query)
    n, cosines = len(keys), keys @ prompts.T
    weights = torch.tensor(ONE_HOT.T @ keys, requires_grad=True)
    own = cosines[np.arange(n), LABELS].reshape(WAY, SHOT).mean(1)
    alpha = torch.full((WAY,), float(25 * own.mean()), dtype=torch.float64, requires_grad=True)
    step = 4 * n / np.linalg.eigvalsh(keys.T @ keys).max()
    step_alpha = n / (4 * (cosines**2).sum(0).max())
    moving = torch.optim.SGD([weights], step, momentum=0.9)
    for epoch in range(1, 31):
        scores = torch.tensor(keys) @ weights.T + alpha * torch.tensor(cosines)
        alpha.grad = None
        moving.zero_grad()
        nn.functional.cross_entropy(scores, torch.tensor(LABELS)).backward()
        moving.step()
        if epoch % 10 == 0:
            with torch.no_grad():
                alpha -= step_alpha * alpha.grad
    expected = (torch.tensor(clips) @ weights.T + alpha * torch.tensor(clips @ prompts.T)).detach().numpy()
    assert logits("lp_plus_plus", support, query, epochs=30) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_proker(scale, support, query) -> None:
    keys, clips, prompts = arrays(support, query)

    def kernel(x: np.ndarray) -> np.ndarray:
        return np.exp(-2.0 * (1 - x @ keys.T))

    left = ONE_HOT - scale * keys @ prompts.T
    expected = scale * clips @ prompts.T + kernel(clips) @ np.linalg.inv(kernel(keys) + 0.4 * np.eye(len(keys))) @ left
    got = logits("proker", support, query, beta=2.0, ridge=0.4, prior_scale=scale)
    assert got == pytest.approx(expected, abs=1e-5)


def test_palm(support, query) -> None:
    keys, clips, prompts = (torch.tensor(each) for each in arrays(support, query))
    context = torch.zeros_like(prompts, requires_grad=True)
    mixing = torch.full((WAY, 1), 0.5, dtype=torch.float64, requires_grad=True)

    def learnt() -> torch.Tensor:
        share = torch.sigmoid(mixing)
        mixed = (1 - share) * prompts + share * context
        return mixed / mixed.norm(dim=-1, keepdim=True)

    moving = torch.optim.SGD([context, mixing], 0.01, momentum=0.9)
    for _ in range(8):
        moving.zero_grad()
        scores = support.logit_scale * keys @ learnt().T
        nn.functional.cross_entropy(scores, torch.tensor(LABELS)).backward()
        moving.step()
    expected = (support.logit_scale * clips @ learnt().T).detach().numpy()
    assert abs(expected - logits("zero_shot", support, query)).max() > 0.05
    assert logits("palm", support, query, epochs=8, learning_rate=0.01) == pytest.approx(expected, abs=1e-3)


def test_clip_adapter(support, query) -> None:
    keys, clips, prompts = (torch.tensor(each) for each in arrays(support, query))
    random = torch.Generator().manual_seed(int(support.seeds))
    width = D // 4
    starts = [(2 * torch.rand(shape, generator=random) - 1).double() for shape in ((width, D), (D, width))]
    down, up = (nn.Parameter(start / start.shape[1] ** 0.5) for start in starts)

    def scores(x: torch.Tensor) -> torch.Tensor:
        adapted = 0.2 * torch.relu(torch.relu(x @ down.T) @ up.T) + 0.8 * x
        return support.logit_scale * adapted / adapted.norm(dim=-1, keepdim=True) @ prompts.T

    moving = torch.optim.AdamW([down, up], 0.01)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(moving, 6)
    untrained = scores(clips).detach()
    for _ in range(6):
        moving.zero_grad()
        nn.functional.cross_entropy(scores(keys), torch.tensor(LABELS)).backward()
        moving.step()
        falling.step()
    expected = scores(clips).detach()
    assert (expected - untrained).abs().max() > 0.05
    got = logits("clip_adapter", support, query, epochs=6, learning_rate=0.01)
    assert got == pytest.approx(expected.numpy(), abs=1e-3)


# Switches: every method equals the simpler one that it reduces to.


def test_of_a_great_ridge_only_each_classs_sum_is_left(support, query) -> None:
    keys, clips, _ = arrays(support, query)
    assert 1e4 * logits("ridge", support, query, ridge=1e4) == pytest.approx(clips @ keys.T @ ONE_HOT, abs=1e-2)


def test_prokers_local_limit_is_tip_adapter(support, query) -> None:
    """A great λ leaves k(x, S) Y / λ, and a prior that is 0 on the support changes nothing."""
    local = prediction("proker", support, query, beta=5.5, ridge=1e4, prior_scale=0.0).logits
    cache = prediction("tip_adapter", support, query, beta=5.5).parts["coarse_cache"]
    assert 1e4 * local.numpy() == pytest.approx(cache.numpy(), abs=1e-2)


def test_gda_of_an_identity_covariance_is_the_nearest_mean(support, query) -> None:
    discriminant = prediction("gda", support, query, alpha=1.0, covariance="identity").parts["discriminant"]
    nearest = prediction("prototypical", support, query).logits
    difference = discriminant - nearest / 2
    assert (difference - difference[:, :1]).abs().max() < 1e-5
    assert torch.equal(discriminant.argmax(1), nearest.argmax(1))


def test_gda_without_its_discriminant_is_zero_shot(support, query) -> None:
    assert np.array_equal(logits("gda", support, query, alpha=0.0), logits("zero_shot", support, query))


def test_lp_plus_plus_without_steps_is_its_start(support, query) -> None:
    keys, clips, prompts = arrays(support, query)
    alpha = 25 * (keys @ prompts.T)[np.arange(len(keys)), LABELS].mean()
    expected = clips @ keys.T @ ONE_HOT + alpha * clips @ prompts.T
    assert logits("lp_plus_plus", support, query, epochs=0) == pytest.approx(expected, abs=1e-4)


def test_palm_without_steps_is_zero_shot(support, query) -> None:
    expected = logits("zero_shot", support, query)
    assert logits("palm", support, query, epochs=0) == pytest.approx(expected, abs=1e-4)


def test_clip_adapter_of_ratio_0_is_zero_shot(support, query) -> None:
    expected = logits("zero_shot", support, query)
    assert logits("clip_adapter", support, query, ratio=0.0) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["ridge", "logistic_regression", "cross_modal_probe", "proker"])
def test_giving_the_clips_of_one_class_twice_changes_nothing_but_the_scale(name, support, query) -> None:
    """Each class's clips weigh together as much as another's: shot is then 8 / 3, and λ and C are for 2."""
    twice = torch.tensor([0, 1, *range(WAY * SHOT)])
    clips = ClipFeatures(*(getattr(support.clips, part)[twice] for part in ("segments", "clip", "caption")))
    doubled = Support(
        clips, support.labels[twice], support.prompts, support.explanations, support.logit_scale, support.seeds
    )
    more = doubled.shot / SHOT
    own, scaled = (
        ({"ridge": 1.0}, {"ridge": more}) if name in ("ridge", "proker") else ({"c": 10.0}, {"c": 10.0 / more})
    )
    assert logits(name, doubled, query, **scaled) == pytest.approx(logits(name, support, query, **own), abs=1e-3)


@pytest.mark.parametrize(
    "name", ["knn", "ridge", "logistic_regression", "cross_modal_probe", "proker", "gda", "lp_plus_plus", "palm"]
)
def test_shares_sum_to_their_part_of_each_logit(name, support, query) -> None:
    method = load("method", name)
    fitted = method.fit(support, method.Parameters())
    clip = ClipFeatures(query.segments[:1], query.clip[:1], query.caption[:1])
    shares, parts = method.shares(fitted, clip), method.predict(fitted, clip).parts
    assert shares.support or shares.sentences
    for part, each in shares.support.items():
        assert (each @ support.one_hot).numpy() == pytest.approx(parts[part][0].numpy(), abs=1e-4)
    for part, each in shares.sentences.items():
        assert each.sum(-1).numpy() == pytest.approx(parts[part][0].numpy(), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("knn", {"neighbours": 0}, "neighbours must be at least 1"),
        ("ridge", {"ridge": 0.0}, "ridge must be positive"),
        ("cross_modal_probe", {"c": -1.0}, "c must be positive"),
        ("gda", {"covariance": "full"}, "covariance must be one of 'pooled', 'identity'"),
        ("clip_adapter", {"ratio": 2.0}, "ratio must be at most 1"),
    ],
)
def test_wrong_parameters_are_refused(name, wrong, words) -> None:
    with pytest.raises(ValueError, match=words):
        load("method", name).Parameters(**wrong)
