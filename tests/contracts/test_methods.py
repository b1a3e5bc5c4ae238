"""What every method that the catalogue finds must hold."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mgcl.catalogue import load, names
from mgcl.features.schema import NAMED
from mgcl.methods.method import ClipFeatures, Support
from mgcl.parameters import flat, from_flat
from mgcl.transport.cost import unit

GOLDEN = Path(__file__).with_name("golden_logits.json")
WAY, SHOT, D = 3, 2, 12


def clips(count: int, seed: int) -> ClipFeatures:
    random = torch.Generator().manual_seed(seed)
    segments, clip, caption = (torch.randn(*shape, D, generator=random) for shape in ((count, 4), (count,), (count,)))
    statistics = 20 * torch.randn(count, 5, generator=random)
    return ClipFeatures(unit(segments), unit(clip), unit(caption), mel_statistics=statistics)


def stacked(episodes: Sequence[ClipFeatures]) -> ClipFeatures:
    names = ("segments", "clip", "caption", "mel_statistics")
    return ClipFeatures(**{name: torch.stack([getattr(clips, name) for clips in episodes]) for name in names})


def support_set(seed: int = 1) -> Support:
    random = torch.Generator().manual_seed(seed)
    return Support(
        clips=clips(WAY * SHOT, seed + 1),
        labels=torch.arange(WAY).repeat_interleave(SHOT),
        prompts=unit(torch.randn(WAY, D, generator=random)),
        explanations=unit(torch.randn(WAY, 8, D, generator=random)),
        logit_scale=30.0,
        seeds=torch.tensor(4),
    )


@pytest.fixture(scope="module", params=names("method", "few_shot"))
def method(request):
    return load("method", request.param)


@pytest.fixture(scope="module")
def fitted(method):
    return method.fit(support_set(), method.Parameters())


def logits(method, support: Support, query: ClipFeatures) -> torch.Tensor:
    return method.predict(method.fit(support, method.Parameters()), query).logits


def test_parameters_are_a_frozen_record_of_plain_values(method) -> None:
    parameters = method.Parameters()
    assert dataclasses.is_dataclass(parameters)
    assert type(parameters).__dataclass_params__.frozen
    values = flat(parameters)
    assert json.loads(json.dumps(values)) == values
    assert from_flat(method.Parameters, values) == parameters


def test_no_parameter_hides_a_column_of_the_record(method) -> None:
    tasks = [load("task", name) for name in names("task")]
    places = {name for task in tasks for name in (*task.COLUMNS, *task.POOLED, *task.SETTING)}
    assert set(flat(method.Parameters())).isdisjoint({"variant", *places})


def test_it_says_which_columns_of_a_bank_it_reads(method) -> None:
    reads = method.Parameters().reads
    assert reads
    assert set(reads) <= set(NAMED)


def test_logits_are_one_a_class_and_the_sum_of_named_parts(method, fitted) -> None:
    prediction = method.predict(fitted, clips(7, 3))
    assert prediction.logits.shape == (7, WAY)
    assert not prediction.logits.requires_grad
    assert torch.equal(sum(prediction.parts.values()), prediction.logits)


def test_the_same_input_gives_the_same_bits_and_is_not_changed(method, fitted) -> None:
    support, fresh = support_set(), support_set()
    assert torch.equal(logits(method, support, clips(7, 3)), method.predict(fitted, clips(7, 3)).logits)
    assert torch.equal(support.clips.segments, fresh.clips.segments)
    assert torch.equal(support.explanations, fresh.explanations)


def test_a_clip_is_scored_as_if_it_were_alone(method, fitted) -> None:
    query = clips(3, 3)
    together = method.predict(fitted, query).logits
    for i in range(3):
        one = ClipFeatures(
            query.segments[i, None],
            query.clip[i, None],
            query.caption[i, None],
            mel_statistics=query.mel_statistics[i, None],
        )
        assert method.predict(fitted, one).logits[0].numpy() == pytest.approx(together[i].numpy(), abs=1e-4)


def test_stacked_episodes_do_not_touch_each_other(method, fitted) -> None:
    episodes = [(support_set(seed), clips(7, seed + 9)) for seed in (1, 20)]
    supports, queries = zip(*episodes, strict=True)
    stack = dataclasses.replace(
        supports[0],
        clips=stacked([support.clips for support in supports]),
        prompts=torch.stack([support.prompts for support in supports]),
        explanations=torch.stack([support.explanations for support in supports]),
        seeds=torch.stack([support.seeds for support in supports]),
    )
    fitted_stack = method.fit(stack, method.Parameters())
    together = method.predict(fitted_stack, stacked(queries))
    for index, (support, query) in enumerate(episodes):
        assert together.logits[index].numpy() == pytest.approx(logits(method, support, query).numpy(), abs=1e-3)
    matches = method.explain(fitted, clips(1, 10), (0, 2))
    first_clips = stacked([clips(1, 10), clips(1, 29)])
    for match, expected in zip(method.explain(fitted_stack, first_clips, (0, 2)), matches, strict=True):
        assert (match.part, match.index) == (expected.part, expected.index)
        assert match.plan.numpy() == pytest.approx(expected.plan.numpy(), abs=1e-5)


@given(
    way=st.integers(1, 3),
    shot=st.integers(1, 3),
    segments=st.integers(1, 4),
    kind=st.sampled_from(["random", "silent", "identical", "opposite"]),
    seed=st.integers(0, 100),
)
@example(way=1, shot=1, segments=1, kind="silent", seed=0)
@example(way=3, shot=2, segments=1, kind="identical", seed=0)
@example(way=2, shot=1, segments=3, kind="opposite", seed=0)
@settings(max_examples=3)
@pytest.mark.parametrize("name", names("method", "few_shot"))
def test_degenerate_episodes_have_finite_logits(name, way, shot, segments, kind, seed) -> None:
    """One class, one segment, zero vectors, identical and opposite ones."""
    random = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        vectors = unit(torch.randn(*shape, D, generator=random))
        if kind == "silent":
            return vectors * (torch.rand(*shape, 1, generator=random) < 0.3)
        if kind in ("identical", "opposite"):
            vectors = torch.ones_like(vectors) / D**0.5
        return vectors * (torch.randint(2, (*shape, 1), generator=random) * 2 - 1) if kind == "opposite" else vectors

    def some(count: int) -> ClipFeatures:
        return ClipFeatures(drawn(count, segments), drawn(count), drawn(count), mel_statistics=drawn(count))

    support = Support(
        clips=some(way * shot),
        labels=torch.arange(way).repeat_interleave(shot),
        prompts=drawn(way),
        explanations=drawn(way, 2),
        logit_scale=100.0,
        seeds=torch.tensor(seed),
    )
    answers = logits(load("method", name), support, some(4))
    assert answers.shape == (4, way)
    assert answers.isfinite().all()


def test_renaming_the_classes_renames_the_answers(method, fitted) -> None:
    support, order = support_set(), torch.tensor([2, 0, 1])
    renamed = dataclasses.replace(
        support,
        labels=torch.argsort(order)[support.labels],
        prompts=support.prompts[order],
        explanations=support.explanations[order],
    )
    first, second = method.predict(fitted, clips(7, 3)).logits, logits(method, renamed, clips(7, 3))
    assert second.numpy() == pytest.approx(first[:, order].numpy(), abs=1e-3)


def test_plans_are_probabilities_and_point_somewhere(method, fitted) -> None:
    query = clips(1, 3)
    for match in method.explain(fitted, query, (0, 2)):
        assert match.part in method.predict(fitted, query).parts
        assert match.plan.shape[0] == 4
        assert match.plan.sum().item() == pytest.approx(1, abs=1e-4)
        assert 0 <= match.index < {"support": WAY * SHOT, "class": WAY}[match.against]


def test_the_numbers_belong_to_the_version(method, fitted) -> None:
    """If this fails, either the change is a mistake, or the method needs a new VERSION and a new golden vector."""
    name = f"{method.__name__.rsplit('.', 1)[-1]} {method.VERSION}"
    golden = json.loads(GOLDEN.read_text()).get(name)
    found = method.predict(fitted, clips(2, 3)).logits.flatten()
    assert golden, f"put the logits of {name!r} into {GOLDEN.name}: {found}"
    assert found.tolist() == pytest.approx(golden, abs=2e-4)
