"""What every audio-visual recogniser that the catalogue finds must hold."""

import dataclasses
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgcl.catalogue import load, names
from mgcl.features.schema import NAMED
from mgcl.methods.recogniser import Batch, Clips, Inputs, Shapes, Tokens, Training
from mgcl.parameters import flat, from_flat
from mgcl.sweep.trial import run_trial
from tests import recognising

RECOGNISERS = names("method", "audio_visual")
SHAPES = Shapes(3, 4, 6, 5)
LENGTHS = ((4, 6), (2, 3), (5, 7), (3, 4))


@pytest.fixture(params=RECOGNISERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def model(name):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made = load("method", name).build(SHAPES, recognising.small(name))
        if hasattr(made, "observe"):
            made.observe(made.eval().embed(clips(*LENGTHS, *LENGTHS)), torch.arange(8) % 5)
        return made.eval()


def tokens(rows: list[np.ndarray], step: float, padded: int) -> Tokens:
    longest = max(map(len, rows)) + padded
    values = np.zeros((len(rows), longest, rows[0].shape[1]), np.float32)
    for index, row in enumerate(rows):
        values[index, : len(row)] = row
    present = torch.tensor([[place < len(row) for place in range(longest)] for row in rows], dtype=torch.bool)
    return Tokens(torch.from_numpy(values), step * torch.arange(longest), present)


def clips(*lengths: tuple[int, int], padded: int = 0, seed: int = 0) -> Clips:
    random = np.random.default_rng(seed)
    rows = [(random.standard_normal((a, 3)), random.standard_normal((v, 4))) for a, v in lengths]
    return Clips(tokens([a for a, _ in rows], 0.96, padded), tokens([v for _, v in rows], 0.64, padded))


def one(given: Clips, index: int) -> Clips:
    def of(all_tokens: Tokens) -> Tokens:
        length = int(all_tokens.present[index].sum())
        at = slice(index, index + 1)
        return Tokens(all_tokens.values[at, :length], all_tokens.seconds[:length], all_tokens.present[at, :length])

    return Clips(of(given.audio), of(given.video))


def scores(model, given: Clips) -> torch.Tensor:
    words = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model.scores(model.embed(given), words)


def batch(model, *, novel: bool, seed: int = 0) -> Batch:
    words = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    noise = torch.Generator().manual_seed(seed)
    return Batch(model.embed(clips(*LENGTHS)), torch.tensor([0, 1, 4, 3]), words, novel, noise)


def test_parameters_are_a_frozen_record_of_plain_values(name) -> None:
    kind = load("method", name).Parameters
    parameters = kind()
    assert kind.__dataclass_params__.frozen
    values = flat(parameters)
    assert json.loads(json.dumps(values)) == values
    assert from_flat(kind, values) == parameters
    assert isinstance(parameters.inputs, Inputs)
    assert isinstance(parameters.training, Training)
    fields = [each.name for each in dataclasses.fields(kind)]
    assert len(values) == len({*values}) >= len(fields)
    assert set(parameters.reads) <= set(NAMED)
    assert {"audio", "video"} <= set(parameters.reads)
    task = load("task", "generalised")
    assert set(values).isdisjoint({"variant", *task.COLUMNS, *task.POOLED, *task.SETTING})


def test_they_load_without_torch() -> None:
    loads = "".join(f"load('method', {name!r}).Parameters(); " for name in RECOGNISERS)
    code = f"import sys; from mgcl.catalogue import load; {loads}sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scores_are_one_a_class(model) -> None:
    assert scores(model, clips(*LENGTHS)).shape == (4, 5)


def test_padding_changes_no_score(model) -> None:
    plain, padded = (scores(model, clips(*LENGTHS, padded=each)) for each in (0, 6))
    assert padded.numpy() == pytest.approx(plain.numpy(), abs=1e-4)


def test_a_clip_is_scored_as_if_it_were_alone(model) -> None:
    given = clips(*LENGTHS)
    together = scores(model, given)
    for index in range(len(LENGTHS)):
        assert scores(model, one(given, index))[0].numpy() == pytest.approx(together[index].numpy(), abs=1e-4)


@pytest.mark.parametrize("lengths", [((3, 0), (2, 4)), ((0, 3), (2, 4)), ((3, 0), (2, 0)), ((1, 1),)])
def test_a_missing_modality_gives_finite_scores(model, lengths) -> None:
    assert scores(model, clips(*lengths)).isfinite().all()


def test_losses_move_every_parameter_that_they_name_and_no_other(model) -> None:
    """In a batch of novel classes everything takes part, but what a recogniser keeps for its own second substage."""
    model.train()
    named = {id(each) for weights in model.groups().values() for each in weights}
    moved = set()
    for novel in (False, True):
        for group, loss in model.losses(batch(model, novel=novel)):
            assert loss.isfinite()
            model.zero_grad()
            loss.backward(retain_graph=True)
            own = {id(each) for each in model.groups()[group]}
            moved |= {id(each) for each in model.parameters() if each.grad is not None} & own
    assert named == {id(each) for each in model.parameters()}
    assert named == moved


def test_the_same_seed_gives_the_same_losses(model) -> None:
    model.eval()
    first, again = ([loss.item() for _, loss in model.losses(batch(model, novel=True))] for _ in range(2))
    assert first == again


def test_a_state_restores_the_model(name, model) -> None:
    other = load("method", name).build(SHAPES, recognising.small(name)).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(scores(model, clips(*LENGTHS)), scores(other, clips(*LENGTHS)))


def test_a_step_lowers_the_loss_of_its_batch(model) -> None:
    groups = model.groups()
    if not groups:
        pytest.skip("nothing is trained")
    model.eval()
    optimisers = {group: torch.optim.Adam(weights, 1e-3) for group, weights in groups.items()}
    totals = []
    for _ in range(15):
        total = 0.0
        for group, loss in model.losses(batch(model, novel=False)):
            optimisers[group].zero_grad()
            loss.backward()
            optimisers[group].step()
            total = loss.item()
        totals.append(total)
    assert np.mean(totals[-3:]) < np.mean(totals[:3])


def test_a_trial_gives_the_same_bits_again_and_from_what_was_kept(name, audio_visual_bank, tmp_path) -> None:
    trial = recognising.trial(audio_visual_bank, name, base_epochs=1, novel_epochs=1)
    results = [run_trial(trial, audio_visual_bank, kept=each) for each in (None, tmp_path, tmp_path)]
    first, *others = [(each.scores, each.confusions) for each in results]
    assert all(first == each for each in others)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    assert {len(column) for column in first[0].values()} == {2}


def test_the_first_substage_does_not_know_the_shot(name, audio_visual_bank, tmp_path) -> None:
    for shot in (1, 2):
        made = recognising.curriculum(audio_visual_bank, name, shot=shot, base_epochs=1)
        replace(made, setup=replace(made.setup, kept=tmp_path)).learn_base(1)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_a_row_without_changes_has_the_defaults(name) -> None:
    kind = load("method", name).Parameters
    assert from_flat(kind, {}) == kind()
