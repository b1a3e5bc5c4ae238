"""Every switch of the method equals the simpler method that it reduces to."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgcl.catalogue import load
from mgcl.methods.few_shot import mgcl, zero_shot
from mgcl.methods.method import ClipFeatures, Support
from mgcl.parameters import from_flat
from mgcl.transport.cost import unit
from tests.numerics.conftest import SHOT, WAY, D

OFF = {"coarse_cache": False, "fine_cache": False, "coarse_contrast": False, "fine_contrast": False}


def logits(support: Support, clips: ClipFeatures, **changes) -> torch.Tensor:
    parameters = from_flat(mgcl.Parameters, changes)
    return mgcl.predict(mgcl.fit(support, parameters), clips).logits


def test_without_cache_training_and_sentences_it_is_zero_shot(support, query) -> None:
    reduced = logits(support, query, alpha=0.0, epochs=0, sentences="prompt", fusion="audio", fine_contrast=False)
    plain = zero_shot.predict(zero_shot.fit(support, zero_shot.Parameters()), query).logits
    assert reduced.numpy() == pytest.approx(plain.numpy(), abs=1e-5)


@pytest.mark.parametrize("part", OFF)
def test_one_part_alone_is_that_part_of_the_whole(support, query, part) -> None:
    whole = mgcl.predict(mgcl.fit(support, mgcl.Parameters(epochs=0)), query)
    alone = mgcl.predict(mgcl.fit(support, mgcl.Parameters(**{**OFF, part: True, "epochs": 0})), query)
    assert list(alone.parts) == [part]
    assert torch.equal(alone.logits, whole.parts[part])


def test_the_parts_sum_to_the_logits(support, query) -> None:
    whole = mgcl.predict(mgcl.fit(support, mgcl.Parameters()), query)
    assert list(whole.parts) == list(OFF)
    assert torch.equal(sum(whole.parts.values()), whole.logits)


def test_without_contrast_alpha_changes_no_decision_and_nothing_is_trained(support, query) -> None:
    off = {"coarse_contrast": False, "fine_contrast": False}
    one, more = (logits(support, query, alpha=alpha, **off) for alpha in (1.0, 3.0))
    assert more.numpy() == pytest.approx(3 * one.numpy(), rel=1e-6)
    assert torch.equal(one, logits(support, query, alpha=1.0, epochs=0, **off))


def test_alpha_zero_is_without_cache(support, query) -> None:
    without = logits(support, query, coarse_cache=False, fine_cache=False)
    assert torch.equal(logits(support, query, alpha=0.0), without)


def test_no_late_weighting_is_a_plain_mean(support, query) -> None:
    only = {**OFF, "coarse_contrast": True, "epochs": 0, "fusion": "audio", "late_weighting_scale": 0.0}
    expected = support.logit_scale * (query.clip @ support.explanations.mean(1).T)
    assert logits(support, query, **only).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_fewer_sentences_are_the_first_or_a_seeded_draw(support) -> None:
    first = mgcl.fit(support, mgcl.Parameters(explanations=2, epochs=0)).sentences
    assert torch.equal(first, support.explanations[:, :2])
    drawn = mgcl.fit(support, mgcl.Parameters(explanations=2, epochs=0, explanation_draw="seeded")).sentences
    order = np.random.default_rng(int(support.seeds)).permutation(4)[:2]
    assert torch.equal(drawn, support.explanations[:, order])
    assert torch.equal(mgcl.fit(support, mgcl.Parameters(explanations=99, epochs=0)).sentences, support.explanations)


def test_the_fusion_looks_at_what_it_says(support, query) -> None:
    other = ClipFeatures(query.segments, query.clip, unit(torch.randn(len(query.clip), D)))
    quiet = ClipFeatures(unit(torch.randn_like(query.segments)), unit(torch.randn_like(query.clip)), query.caption)
    no_cache = {"coarse_cache": False, "fine_cache": False}
    assert torch.equal(logits(support, query, fusion="audio"), logits(support, other, fusion="audio"))
    caption_only = {"fusion": "caption", **no_cache}
    assert torch.equal(logits(support, query, **caption_only), logits(support, quiet, **caption_only))
    assert not torch.equal(logits(support, query), logits(support, other))
    assert not torch.equal(logits(support, query), logits(support, quiet))


def test_the_audio_start_ignores_the_caption_until_trained(support, query) -> None:
    untrained = {"epochs": 0, "fusion": "both", "initialisation": "audio"}
    expected = logits(support, query, epochs=0, fusion="audio")
    assert logits(support, query, **untrained).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_random_start_is_seeded_by_the_episode(support, query) -> None:
    first, again = (logits(support, query, initialisation="random") for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, logits(support, query))


def test_leave_one_out_needs_two_shots(support) -> None:
    clips = ClipFeatures(support.clips.segments[:3], support.clips.clip[:3], support.clips.caption[:3])
    one = Support(clips, torch.arange(3), support.prompts, support.explanations, 1.0, torch.tensor(0))
    with pytest.raises(ValueError, match="leave_one_out needs 2 shots"):
        mgcl.fit(one, mgcl.Parameters(leave_one_out=True))


def test_a_loss_that_is_not_finite_names_the_epoch(support) -> None:
    with pytest.raises(FloatingPointError, match="the training loss is nan in epoch"):
        mgcl.fit(support, mgcl.Parameters(learning_rate=1e30, epochs=5))


def test_the_exact_gradient_trains_otherwise(support, query) -> None:
    exact, detached = (logits(support, query, gradient=each, learning_rate=1e-2) for each in ("exact", "detached"))
    assert not torch.equal(exact, detached)


def test_opposite_audio_and_caption_cancel_without_harm(support, query) -> None:
    clips = support.clips
    cancelled = Support(
        ClipFeatures(clips.segments, clips.clip, -clips.clip), *(getattr(support, name) for name in (
            "labels", "prompts", "explanations", "logit_scale", "seeds"))
    )  # fmt: skip
    assert logits(cancelled, query).isfinite().all()


def baseline(name: str, support: Support, clips: ClipFeatures, **changes) -> torch.Tensor:
    method = load("method", name)
    return method.predict(method.fit(support, from_flat(method.Parameters, changes)), clips).logits


@pytest.mark.parametrize("name", ["tip_adapter", "treff_adapter"])
def test_an_adapter_without_its_cache_is_zero_shot(support, query, name) -> None:
    assert torch.equal(baseline(name, support, query, alpha=0.0), baseline("zero_shot", support, query))


def test_untrained_adapters_are_one(support, query) -> None:
    tip, treff = (baseline(name, support, query, epochs=0) for name in ("tip_adapter", "treff_adapter"))
    assert treff.numpy() == pytest.approx(tip.numpy(), abs=1e-4)


def test_with_the_coarse_cache_and_prompts_alone_it_is_tip_adapter(support, query) -> None:
    reduced = {"fine_cache": False, "fine_contrast": False, "sentences": "prompt", "fusion": "audio", "epochs": 0}
    expected = baseline("tip_adapter", support, query, alpha=2.0, beta=3.0)
    assert logits(support, query, alpha=2.0, beta=3.0, **reduced).numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_at_one_shot_prototypes_and_attention_name_the_nearest_clip(query) -> None:
    clips = ClipFeatures(query.segments[:3], query.clip[:3], query.caption[:3])
    prompts, seed = torch.zeros(3, D), torch.tensor(0)
    support = Support(clips, torch.arange(3), prompts, prompts[:, None], 1.0, seed)
    nearest = (query.clip @ clips.clip.T).argmax(-1)
    for name in ("prototypical", "matching"):
        assert torch.equal(baseline(name, support, query).argmax(-1), nearest)


@pytest.mark.parametrize("labels", [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2], [0, 1, 1, 2, 2, 3]])
def test_a_support_set_that_does_not_add_up_is_refused(support, labels) -> None:
    with pytest.raises(ValueError, match="6 support clips with"):
        Support(support.clips, torch.tensor(labels), support.prompts, support.explanations, 1.0, support.seeds)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("prototypical", {}), ("matching", {}), ("mgcl", {"mean_over_shots": True, "epochs": 0})],
)
def test_giving_the_clips_of_one_class_twice_changes_nothing(support, query, name, changes) -> None:
    twice = torch.tensor([0, 1, *range(WAY * SHOT)])
    clips = ClipFeatures(*(getattr(support.clips, part)[twice] for part in ("segments", "clip", "caption")))
    doubled = replace(support, clips=clips, labels=support.labels[twice])
    assert doubled.counts == (4, 2, 2)
    got, expected = (baseline(name, each, query, **changes).log_softmax(-1) for each in (doubled, support))
    assert got.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 2.5}, "epochs must be of type int, got 2.5"),
        ({"epsilon": "0.02"}, "epsilon must be of type float, got '0.02'"),
        ({"leave_one_out": 1}, "leave_one_out must be of type bool, got 1"),
        ({"logit_scale": "big"}, "logit_scale must be of type float or None, got 'big'"),
        ({"fusion": "all"}, "fusion must be one of 'both', 'audio', 'caption', got 'all'"),
    ],
)
def test_parameters_of_another_type_are_refused(changes, words) -> None:
    with pytest.raises(ValueError, match=words):
        from_flat(mgcl.Parameters, changes)
    assert mgcl.Parameters(alpha=2).alpha == 2


def test_without_captions_audio_alone_is_the_same_and_the_rest_refused(support, query) -> None:
    bare = replace(support, clips=replace(support.clips, caption=None)), replace(query, caption=None)
    assert torch.equal(logits(*bare, fusion="audio"), logits(support, query, fusion="audio"))
    off = {"coarse_contrast": False, "fine_contrast": False}
    assert torch.equal(logits(*bare, **off), logits(support, query, **off))
    with pytest.raises(ValueError, match="reads captions, and these clips have none"):
        logits(*bare)
