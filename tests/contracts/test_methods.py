"""What every method that the catalogue finds must hold."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from mgcl.catalogue import load, names
from mgcl.methods.method import ClipFeatures, Support
from mgcl.sweep.runs import COLUMNS
from mgcl.transport import unit

GOLDEN = Path(__file__).with_name("golden_logits.json")
WAY, SHOT, D = 3, 2, 12


def clips(count: int, seed: int) -> ClipFeatures:
    random = torch.Generator().manual_seed(seed)
    segments, clip, caption = (torch.randn(*shape, D, generator=random) for shape in ((count, 4), (count,), (count,)))
    return ClipFeatures(unit(segments), unit(clip), unit(caption))


def support_set() -> Support:
    random = torch.Generator().manual_seed(1)
    return Support(
        clips=clips(WAY * SHOT, 2),
        labels=torch.arange(WAY).repeat_interleave(SHOT),
        shot=SHOT,
        prompts=unit(torch.randn(WAY, D, generator=random)),
        explanations=unit(torch.randn(WAY, 8, D, generator=random)),
        logit_scale=30.0,
        seeds=torch.tensor(4),
    )


@pytest.fixture(params=names("method"))
def method(request):
    return load("method", request.param)


def logits(method, support: Support, query: ClipFeatures) -> torch.Tensor:
    return method.predict(method.fit(support, method.Parameters()), query).logits


def test_parameters_are_a_frozen_record_of_plain_values(method) -> None:
    parameters = method.Parameters()
    assert dataclasses.is_dataclass(parameters)
    assert type(parameters).__dataclass_params__.frozen
    assert json.loads(json.dumps(dataclasses.asdict(parameters))) == dataclasses.asdict(parameters)


def test_no_parameter_hides_a_column_of_the_record(method) -> None:
    assert {field.name for field in dataclasses.fields(method.Parameters)}.isdisjoint(COLUMNS)


def test_logits_are_one_a_class_and_the_sum_of_named_parts(method) -> None:
    prediction = method.predict(method.fit(support_set(), method.Parameters()), clips(7, 3))
    assert prediction.logits.shape == (7, WAY)
    assert not prediction.logits.requires_grad
    assert torch.equal(sum(prediction.parts.values()), prediction.logits)


def test_the_same_input_gives_the_same_bits(method) -> None:
    assert torch.equal(*(logits(method, support_set(), clips(7, 3)) for _ in range(2)))


def test_fitting_changes_nothing_it_was_given(method) -> None:
    support, fresh = support_set(), support_set()
    logits(method, support, clips(7, 3))
    assert torch.equal(support.clips.segments, fresh.clips.segments)
    assert torch.equal(support.explanations, fresh.explanations)


def test_a_clip_is_scored_as_if_it_were_alone(method) -> None:
    query, fitted = clips(7, 3), method.fit(support_set(), method.Parameters())
    together = method.predict(fitted, query).logits
    for i in range(7):
        one = ClipFeatures(query.segments[i, None], query.clip[i, None], query.caption[i, None])
        assert method.predict(fitted, one).logits[0].numpy() == pytest.approx(together[i].numpy(), abs=1e-4)


def test_renaming_the_classes_renames_the_answers(method) -> None:
    support, order = support_set(), torch.tensor([2, 0, 1])
    renamed = dataclasses.replace(
        support,
        labels=torch.argsort(order)[support.labels],
        prompts=support.prompts[order],
        explanations=support.explanations[order],
    )
    first, second = (logits(method, each, clips(7, 3)) for each in (support, renamed))
    assert second.numpy() == pytest.approx(first[:, order].numpy(), abs=1e-3)


def test_plans_are_probabilities_and_point_somewhere(method) -> None:
    query, fitted = clips(1, 3), method.fit(support_set(), method.Parameters())
    for match in method.explain(fitted, query, (0, 2)):
        assert match.part in method.predict(fitted, query).parts
        assert match.plan.shape[0] == 4
        assert match.plan.sum().item() == pytest.approx(1, abs=1e-4)
        assert 0 <= match.index < {"support": WAY * SHOT, "class": WAY}[match.against]


def test_the_numbers_belong_to_the_version(method) -> None:
    """If this fails, either the change is a mistake, or the method needs a new VERSION and a new golden vector."""
    name = f"{method.__name__.rsplit('.', 1)[-1]} {method.VERSION}"
    golden = json.loads(GOLDEN.read_text()).get(name)
    assert golden, (
        f"put the logits of {name!r} into {GOLDEN.name}: {logits(method, support_set(), clips(2, 3)).flatten()}"
    )
    assert logits(method, support_set(), clips(2, 3)).flatten().tolist() == pytest.approx(golden, abs=2e-4)
