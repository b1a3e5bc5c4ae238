"""The multi-grained kernel against a slow one in float64, and what it promises."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from mgcl.methods.few_shot import _multi_grained as kernels
from mgcl.methods.few_shot import multi_grained_kernel as method
from mgcl.methods.method import ClipFeatures, Support
from mgcl.transport.matching import Matching
from mgcl.transport.similarity import similarity
from tests.numerics.conftest import SHOT, WAY

LABELS = np.repeat(np.arange(WAY), SHOT)


def unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def softmax(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(x) / np.exp(x).sum(-1, keepdims=True))


def reference(support: Support, query: ClipFeatures, selectivity: float) -> np.ndarray:
    """Every candidate by itself, each clip left out by solving without it."""
    keys, clips, prompts = (each.double().numpy() for each in (support.clips.clip, query.clip, support.prompts))
    means = unit(support.explanations.double().numpy().mean(1))
    alike, to_keys = (
        similarity(each.segments, support.clips.segments, Matching()).value.double().numpy()
        for each in (support.clips, query)
    )
    alike = (alike + alike.T) / 2
    sentences, others = unit(prompts + means), LABELS[:, None] != LABELS
    centred = unit(sentences - sentences.mean(0))

    def z(x: np.ndarray) -> np.ndarray:
        total = np.zeros((len(x), WAY))
        for each in (prompts, means):
            cosines, seen = x @ each.T, keys @ each.T
            seen = seen - seen.mean(1, keepdims=True)
            total += (cosines - cosines.mean(1, keepdims=True)) / np.sqrt((seen**2).mean()) / 2
        return total

    def crossed(x: np.ndarray) -> np.ndarray:
        return 1 - unit(x - keys.mean(0)) @ centred.T

    coarse, fine = (1 - keys @ keys.T)[others].mean(), (1 - alike)[others].mean()
    width = crossed(keys)[LABELS[:, None] != np.arange(WAY)].mean()
    targets = np.concatenate([np.eye(WAY)[LABELS], np.eye(WAY)])
    scores, errors = [], []
    for share in kernels.FINE_SHARES:
        own = np.exp(-(1 - share) * (1 - keys @ keys.T) / coarse - share * (1 - alike) / fine)
        side, below = np.exp(-crossed(keys) / width), np.exp(-(1 - centred @ centred.T) / width)
        gram = np.block([[own, side], [side.T, below]])
        gram = gram + max(0.0, -np.linalg.eigvalsh(gram)[0]) * np.eye(len(gram))
        row = np.exp(-(1 - share) * (1 - clips @ keys.T) / coarse - share * (1 - to_keys) / fine)
        row = np.concatenate([row, np.exp(-crossed(clips) / width)], 1)
        for scale, ridge in product(kernels.PRIOR_SCALES, kernels.RIDGES):
            left = targets - softmax(scale * z(np.concatenate([keys, sentences])))
            system = gram + ridge * np.eye(len(gram))
            scores.append(softmax(scale * z(clips)) + row @ np.linalg.solve(system, left))
            error = 0.0
            for out in range(len(keys)):
                rest = [i for i in range(len(gram)) if i != out]
                found = gram[out, rest] @ np.linalg.solve(system[np.ix_(rest, rest)], left[rest])
                error += float(((left[out] - found) ** 2).sum())
            errors.append(error)
    weights = softmax(-selectivity * np.array(errors))
    return support.logit_scale * np.einsum("g,gbc->bc", weights, np.array(scores))


@pytest.mark.parametrize("selectivity", [0.0, 0.1, 5.0])
def test_it_is_the_slow_one(selectivity, support, query) -> None:
    fitted = method.fit(support, method.Parameters(selectivity=selectivity))
    assert method.predict(fitted, query).logits.numpy() == pytest.approx(
        reference(support, query, selectivity), abs=1e-3
    )


def test_its_shares_are_exact(support, query) -> None:
    fitted = method.fit(support, method.Parameters())
    clip = ClipFeatures(query.segments[:1], query.clip[:1], query.caption[:1])
    shares, parts = method.shares(fitted, clip), method.predict(fitted, clip).parts
    by_class = shares.support["clips"].view(WAY, SHOT).sum(1)
    assert by_class.numpy() == pytest.approx(parts["clips"][0].numpy(), abs=1e-4)
    assert set(shares.sentences) == {"contrast", "sentences"}
    for part, each in shares.sentences.items():
        assert each.sum(1).numpy() == pytest.approx(parts[part][0].numpy(), abs=1e-4)


def test_without_sentence_samples_no_part_is_theirs(support, query) -> None:
    fitted = method.fit(support, method.Parameters(sentence_samples=False))
    assert set(method.predict(fitted, query).parts) == {"contrast", "clips", "other_classes"}


def test_a_kernel_that_is_not_positive_definite_is_repaired(support) -> None:
    """Clips that are like others and unlike themselves."""
    odd = 0.9 - 1.9 * torch.eye(len(support.labels))
    fitted = kernels.fit(support, odd, sentence_samples=False, selectivity=0.1)
    gram = kernels._gram(fitted.geometry, odd, sentences=False)
    assert torch.linalg.eigvalsh(gram)[-1, 0] < -min(kernels.RIDGES), "the ridge alone would not mend it"
    # (K + (shift + λ) I) of coefficients is at most the targets, whose residuals are within ±1
    assert fitted.expansion.coefficients.abs().max() <= len(support.labels) ** 0.5 / min(kernels.RIDGES)


def test_giving_the_clips_of_one_class_twice_changes_little(support, query) -> None:
    """Each class's clips weigh together as much as another's, up to the ridge's unit and the leave-one-out errors."""
    twice = torch.tensor([0, 1, *range(WAY * SHOT)])
    clips = ClipFeatures(*(getattr(support.clips, part)[twice] for part in ("segments", "clip", "caption")))
    doubled = replace(support, clips=clips, labels=support.labels[twice])
    got, expected = (
        method.predict(method.fit(each, method.Parameters(selectivity=0.0)), query).logits / support.logit_scale
        for each in (doubled, support)
    )
    assert (got - expected).abs().max() < 0.1
