"""A trial on a bank: reproducible, explained, and refused where bank or method are not what was planned."""

from dataclasses import replace

import pytest
import torch

from mgcl.errors import SweepError
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial, similarity_store
from mgcl.tasks import few_shot
from mgcl.transport.pairwise import SimilarityStore
from tests import cases
from tests.generated_bank import write_generated_bank

SWEEP = cases.sweep("s", ("full", "zero-shot"), ways=(3,), shots=(2,), queries=5, episodes=3)


@pytest.fixture
def trial(bank):
    return plan(SWEEP, bank)[0].trial


def test_the_same_trial_is_the_same_to_the_bit(trial, bank) -> None:
    first, second = (run_trial(trial, bank) for _ in range(2))
    assert first.confusions == second.confusions
    assert first.explained == second.explained


def test_episodes_do_not_depend_on_the_method(bank) -> None:
    full, zero_shot = (run_trial(cell.trial, bank) for cell in plan(SWEEP, bank))
    assert [each.classes for each in full.confusions] == [each.classes for each in zero_shot.confusions]


def test_more_episodes_begin_with_the_same_ones(trial, bank) -> None:
    longer = run_trial(cases.changed_trial(trial, episodes=5), bank)
    assert longer.confusions[:3] == run_trial(trial, bank).confusions


def test_every_query_clip_is_counted(trial, bank) -> None:
    for episode in run_trial(trial, bank).confusions:
        assert [sum(row) for row in episode.counts] == [5, 5, 5]


def test_the_explained_clip_adds_up(trial, bank) -> None:
    explained = run_trial(trial, bank).explained
    logits = [sum(each) for each in zip(*explained.parts.values(), strict=True)]
    assert len(logits) == 3
    assert explained.segment_times == pytest.approx((0.5, 1.5, 2.5, 3.5, 4.5))
    assert f"fine_contrast: {explained.label}" in explained.plans
    assert f"fine_contrast: {explained.predicted}" in explained.plans
    assert all(sum(map(sum, plan)) == pytest.approx(1, abs=1e-3) for plan in explained.plans.values())


def test_stacked_episodes_give_the_same_answers(trial, bank, monkeypatch) -> None:
    monkeypatch.setattr(few_shot, "largest_stack", lambda _setup: 1)
    one_by_one = run_trial(trial, bank)
    monkeypatch.setattr(few_shot, "largest_stack", lambda _setup: 2)
    together = run_trial(trial, bank)
    assert (one_by_one.stack, together.stack) == (1, 2)
    assert together.confusions == one_by_one.confusions
    assert together.convergence.problems == one_by_one.convergence.problems > 0


def test_out_of_memory_halves_the_stack_and_starts_the_trial_again(trial, bank, monkeypatch) -> None:
    tried = []
    run = few_shot.run

    def forgetful(setup, stack):
        tried.append(stack)
        if stack > 1:
            raise torch.cuda.OutOfMemoryError
        return run(setup, stack)

    monkeypatch.setattr(few_shot, "largest_stack", lambda _setup: 5)
    monkeypatch.setattr(few_shot, "run", forgetful)
    assert run_trial(trial, bank).stack == 1
    assert tried == [5, 2, 1]


def test_similarities_are_kept_for_the_next_trial(trial, bank, tmp_path, monkeypatch) -> None:
    first = run_trial(trial, bank, similarities=similarity_store(bank, root=tmp_path))
    monkeypatch.setattr(SimilarityStore, "_compute", None)
    again = run_trial(trial, bank, similarities=similarity_store(bank, root=tmp_path))
    assert again.confusions == first.confusions == run_without_disk(monkeypatch, trial, bank).confusions


def run_without_disk(monkeypatch, trial, bank):
    monkeypatch.undo()
    return run_trial(trial, bank)


def test_another_bank_is_refused(trial, tmp_path) -> None:
    other = write_generated_bank(tmp_path / "bank", classes=6, clips=16, segments=5, d=24, seed=1)
    with pytest.raises(SweepError, match="changed since the sweep was planned"):
        run_trial(trial, other)


def test_another_version_of_the_method_is_refused(trial, bank) -> None:
    with pytest.raises(SweepError, match="method mgcl is version 2 here, 3 where the sweep was planned"):
        run_trial(replace(trial, version=3), bank)


def test_a_trial_leaves_torchs_settings_as_they_were(trial, bank) -> None:
    torch.use_deterministic_algorithms(False)
    torch.backends.cuda.matmul.allow_tf32 = True
    run_trial(trial, bank)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
