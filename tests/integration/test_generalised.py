"""The curriculum of generalised recognition: what is frozen, what is seen when, what is chosen on what."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import parallel_config
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mgcl.files import DRAFT
from mgcl.methods.variants import AUDIO_VISUAL
from mgcl.records import PlannedTrial, Searched, TrialResult
from mgcl.reporting.trial_figures import kind_shares
from mgcl.search.questions import Search, questions
from mgcl.search.space import Range
from mgcl.sweep import Sweep, main
from mgcl.sweep.chosen import Choice, Chosen, write_chosen
from mgcl.sweep.grid import left_out, plan
from mgcl.sweep.trial import run_trial
from mgcl.tasks import few_shot, generalised
from mgcl.tasks._generalised import kept, substage
from mgcl.tasks._generalised.substage import Schedule, explore, outputs, probabilities, replay
from mgcl.tracking.record import recorded_runs
from mgcl.tracking.runs import trial_json, trial_result
from tests import recognising

SWEEP = Sweep(
    "attention",
    generalised.Draws(shots=(2,), seeds=(0, 1), draws=2),
    ("linear-probe", "prototypes"),
    reference="linear-probe",
    baselines=("prototypes",),
)


def state_of(model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.trunk.state_dict().items()}


def second(bank, **changes):
    """The second substage of stage 2, from a trained base model."""
    made = recognising.curriculum(bank, "av_diff", **changes)
    base = made.learn_base(2, Schedule(1))
    return made.substage(2, made.stage(2), novel=True, state=base.state)


def test_the_trunk_is_bit_equal_through_the_second_substage(audio_visual_bank) -> None:
    two = second(audio_visual_bank)
    before, kept = state_of(two.model), outputs(two, two.rows)
    head = {name: value.clone() for name, value in two.model.project.state_dict().items()}
    replay(two, Schedule(2))
    after = state_of(two.model)
    assert all(torch.equal(before[name], value) for name, value in after.items()), "weights and statistics"
    assert torch.equal(kept, outputs(two, two.rows)), "kept outputs are those of the trunk"
    assert any(not torch.equal(head[name], value) for name, value in two.model.project.state_dict().items())


def test_in_train_mode_a_frozen_trunks_statistics_drift_and_its_weights_do_not(audio_visual_bank) -> None:
    two = second(audio_visual_bank, frozen_mode="train")
    before = state_of(two.model)
    replay(two, Schedule(1))
    changed = {name for name, value in two.model.trunk.state_dict().items() if not torch.equal(before[name], value)}
    assert changed
    assert all("running" in name or "num_batches" in name for name in changed)


def test_no_clip_is_gathered_before_its_time(audio_visual_bank, monkeypatch) -> None:
    """Which clips each step, and each look at a trunk's outputs, sees, in the order in which they are gathered."""
    bank, seen = audio_visual_bank, []
    part = dict(zip(bank.row_of_class, bank.classes["part"].to_pylist(), strict=True))
    kinds = [
        (part[label], split)
        for label, split in zip(bank.clips["label"].to_pylist(), bank.clips["split"].to_pylist(), strict=True)
    ]
    gather = substage.Source.clips

    def recorded(self, rows, random=None):
        seen.append(({kinds[row] for row in rows}, random is not None))
        return gather(self, rows, random)

    monkeypatch.setattr(substage.Source, "clips", recorded)
    made = recognising.curriculum(bank, "av_diff")
    found = made.choose()
    assert {kind for of, _ in seen for kind in of if kind[0] == "novel-test" or kind[1] == "test"} == set()
    base = made.learn_base(2, found.base)
    assert {part for of, _ in seen for part, _ in of} == {"base", "novel-validation"}
    del seen[:]
    made.test(found, 0, base.state)
    learned, tested = seen[0][0], seen[-1][0]
    assert {split for _, split in learned} == {"train", "validation"}
    assert {split for _, split in tested} == {"test"}
    assert ("novel-test", "train") in {kind for of, _ in seen[:-1] for kind in of}


def batches(bank, monkeypatch, **changes):
    """The batches of both substages of stage 1."""
    made = recognising.curriculum(bank, "av_diff", **changes)
    steps, step = [], substage._step
    monkeypatch.setattr(
        substage, "_step", lambda model, optimisers, batch: (steps.append(batch), step(model, optimisers, batch))
    )
    of = made.stage(1)
    replay(made.substage(1, of, novel=False), Schedule(1))
    first = len(steps)
    replay(made.substage(1, of, novel=True), Schedule(1))
    return of, steps[:first], steps[first:]


def test_base_and_novel_batches_alternate_and_are_alike_in_size(audio_visual_bank, monkeypatch) -> None:
    of, first, then = batches(audio_visual_bank, monkeypatch)
    assert [each.novel for each in first] == [False] * 3
    assert all((each.labels < of.base).all() for each in first)
    assert [each.novel for each in then] == [False, True] * 3
    assert all(((each.labels >= of.base) == each.novel).all() for each in then)
    assert {len(each.labels) for each in (*first, *then)} == {8}


def test_rows_see_the_same_batches(audio_visual_bank, monkeypatch) -> None:
    labels = []
    for changes in ({}, {"attention": "full"}, {"generator": "none"}, {"words": "codes"}):
        with monkeypatch.context() as patch:
            _, first, then = batches(audio_visual_bank, patch, **changes)
            labels.append(torch.stack([each.labels for each in (*first, *then)]))
    assert all(torch.equal(labels[0], each) for each in labels)


@pytest.fixture(scope="module")
def poisoned(audio_visual_bank, tmp_path_factory):
    """The bank as it is, with noise in place of its test clips, and of its validation clips."""
    folder = tmp_path_factory.mktemp("poisoned")
    splits = ("test", "validation")
    return audio_visual_bank, *(recognising.poisoned(audio_visual_bank, folder / each, each) for each in splits)


def test_poisoned_test_clips_move_nothing_that_is_chosen(poisoned) -> None:
    found, same, different = (
        recognising.curriculum(bank, "linear_probe", batches=30, batch_size=32, base_epochs=4, novel_epochs=4).choose()
        for bank in poisoned
    )
    assert found == same
    assert found != different, "validation clips do"


def test_poisoned_test_clips_move_no_search(poisoned) -> None:
    space = {"learning_rate": Range(1e-4, 1e-1, log=True)}
    draws = generalised.Draws(shots=(2,), draws=2)
    search = Search("s", draws, variant="linear-probe", batches=1, space=space)
    short = {"base_epochs": 2, "novel_epochs": 2, "batches": 5}

    def figures(bank) -> list[dict[str, tuple[float, ...]]]:
        (question,) = questions(search, bank)
        points = [trial for rate in (1e-3, 1e-1) for ((trial,),) in [question.at({"learning_rate": rate})]]
        assert {(trial.cell.base_classes, trial.cell.novel_classes) for trial in points} == {(8, 4)}
        return [run_trial(replace(each, parameters={**each.parameters, **short}), bank).scores for each in points]

    found, same, different = map(figures, poisoned)
    assert {len(column) for scores in found for column in scores.values()} == {2}
    assert found[0] != found[1], "points differ"
    assert found == same
    assert found != different, "validation clips do"


def test_values_are_for_the_tests_of_their_search(audio_visual_bank) -> None:
    (problem,) = generalised.problems(generalised.Draws(shots=(2,)), audio_visual_bank, shared=False)
    tests, validations = (
        generalised.cells(generalised.Draws(shots=(2,)), audio_visual_bank, only)
        for only in (problem.tests, (problem.validation,))
    )
    assert tests == generalised.cells(generalised.Draws(shots=(2,)), audio_visual_bank)
    assert {generalised.tested(cell) for cell in tests} == set(problem.tests)
    assert not {type(cell) for cell in tests} & {type(cell) for cell in validations}


def test_replaying_drops_is_torchs_plateau(audio_visual_bank, monkeypatch) -> None:
    made = recognising.curriculum(audio_visual_bank, "av_diff", patience=1, generator="none")
    of = made.stage(1)
    figures = [0.1, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.4]
    rates: list[list[float]] = [[], []]

    def recorded(index):
        step = substage._step

        def run(model, optimisers, batch):
            rates[index].append(optimisers["model"].param_groups[0]["lr"])
            step(model, optimisers, batch)

        return run

    given = iter(figures)
    with monkeypatch.context() as patch:
        patch.setattr(substage, "_step", recorded(0))
        explored = explore(made.substage(1, of, novel=False), len(figures), lambda: (next(given), None))
    assert explored.schedule.epochs == 8
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True)], 1e-3)
    plateau, expected = ReduceLROnPlateau(optimiser, "max", factor=0.1, patience=1), []
    for figure in figures:
        expected += [optimiser.param_groups[0]["lr"]] * 3
        plateau.step(figure)
    with monkeypatch.context() as patch:
        patch.setattr(substage, "_step", recorded(1))
        replay(made.substage(1, of, novel=False), explored.schedule)
    assert rates[0] == pytest.approx(expected)
    assert rates[1] == pytest.approx(expected)
    assert len(explored.schedule.drops) >= 2


def test_a_replay_is_the_exploration_without_looking(audio_visual_bank) -> None:
    made = recognising.curriculum(audio_visual_bank, "av_diff")
    of = made.stage(1)
    explored, replayed = (made.substage(1, of, novel=False) for _ in range(2))
    figures = iter([0.1, 0.2, 0.15])
    found = explore(
        explored, 3, lambda: (probabilities(explored, outputs(explored, of.tested_rows)), next(figures))[1:] * 2
    )
    assert found.schedule == Schedule(2)
    replay(replayed, found.schedule)
    for name, value in explored.model.state_dict().items():
        assert torch.equal(value, replayed.model.state_dict()[name]), name


def test_a_draw_changes_the_second_substage_alone(audio_visual_bank) -> None:
    one, three = (
        run_trial(recognising.trial(audio_visual_bank, "av_diff", draws=draws), audio_visual_bank) for draws in (1, 3)
    )
    assert one.scores["base"] == three.scores["base"][:1]
    assert one.scores["novel"] == three.scores["novel"][:1]
    assert one.samples == three.samples
    assert one.samples.classes == one.confusions[0].classes[12:]


def test_confusions_are_those_of_the_figures(audio_visual_bank) -> None:
    planned = PlannedTrial(recognising.trial(audio_visual_bank, "linear_probe"), ("linear-probe",))
    result = run_trial(planned.trial, audio_visual_bank)
    assert trial_result(trial_json(planned, result)) == result, "as recorded"
    for tradeoff, base, novel in zip(result.tradeoffs, result.scores["base"], result.scores["novel"], strict=True):
        assert tradeoff.figures[tradeoff.values.index(tradeoff.taken)] == (base, novel)
    np.testing.assert_allclose(kind_shares(result.confusions)[:, 0], [result.mean("base"), result.mean("novel")])
    for index, confusion in enumerate(result.confusions):
        counts = np.array(confusion.counts)
        hits = counts.diagonal() / counts.sum(-1)
        assert np.mean(hits[:12]) == pytest.approx(result.scores["base"][index])
        assert np.mean(hits[12:]) == pytest.approx(result.scores["novel"][index])


def content(file: Path) -> tuple[Schedule, dict[str, bytes]]:
    """What a kept substage holds, but for the seconds that it took."""
    learned = kept._read(file)
    return learned.schedule, {name: value.numpy().tobytes() for name, value in learned.state.items()}


def test_a_trial_that_was_killed_and_workers_that_share_give_the_same_bytes(audio_visual_bank, tmp_path) -> None:
    def ran(shot: int, folder: Path | None) -> tuple[TrialResult, dict[str, tuple[Schedule, dict[str, bytes]]]]:
        result = run_trial(
            recognising.trial(audio_visual_bank, "av_diff", shot=shot, draws=1), audio_visual_bank, kept=folder
        )
        assert result.facts["training seconds"] > 0
        files = folder.glob("*.safetensors") if folder else ()
        return replace(result, seconds=0.0, facts={}), {file.name: content(file) for file in files}

    alone, _ = ran(2, None)
    folder = tmp_path / "kept"
    result, files = ran(2, folder)
    assert result == alone
    stage_1, stage_2 = files
    whole = (folder / stage_1).read_bytes()
    (folder / stage_2).unlink()  # killed while it wrote stage 1's: a draft, and what a full disk left
    (folder / stage_1).write_bytes(whole[: len(whole) // 2])
    (folder / f"{DRAFT}0.part").write_bytes(whole[:100])
    assert ran(2, folder) == (alone, files)
    ran(1, tmp_path / "shared")  # another worker's trial has computed the first substages
    result, shared = ran(2, tmp_path / "shared")
    assert result == alone
    assert shared == files
    for length in (0, 4, 20, len(whole) - 1):
        (folder / stage_1).write_bytes(whole[:length])
        assert kept._read(folder / stage_1) is None


def test_rows_of_another_task_are_left_out_by_name(audio_visual_bank, bank) -> None:
    sweep = replace(SWEEP, variants=("linear-probe", "zero-shot"))
    assert {row for each in plan(sweep, audio_visual_bank) for row in each.variants} == {"linear-probe"}
    assert "of another task: left out: zero-shot" in left_out(sweep, audio_visual_bank)
    shots = replace(sweep, draws=few_shot.Draws((2,), (1,), queries=5, episodes=2))
    assert {row for each in plan(shots, bank) for row in each.variants} == {"zero-shot"}
    assert "of another task: left out: linear-probe" in left_out(shots, bank)


def test_every_row_is_planned_on_a_bank_with_words(audio_visual_bank) -> None:
    sweep = replace(SWEEP, variants=tuple(AUDIO_VISUAL))
    trials = plan(sweep, audio_visual_bank)
    assert {row for each in trials for row in each.variants} == set(AUDIO_VISUAL)
    assert len(trials) == 2 * len(AUDIO_VISUAL)


def test_a_sweep_records_and_reports(audio_visual_bank, tmp_path, empty_store, monkeypatch) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    where = ["--bank", str(audio_visual_bank.path), "--local", "--tracking-uri", uri, "--out", str(tmp_path)]
    choice = Choice((generalised.Test(2, 12, 4),), None, {"learning_rate": 0.02}, 0.5, 3)
    chosen = Chosen("generalised", audio_visual_bank.digest, "linear-probe", (choice,))
    write_chosen(tmp_path / "params.json", chosen)
    with pytest.raises(SystemExit) as ended, parallel_config("threading"):
        main(SWEEP, [*where, "--params", str(tmp_path / "params.json")])
    assert ended.value.code == 0
    runs = recorded_runs("attention", uri)
    assert {(run.column, run.pooled) for run in runs} == {((2,), (seed,)) for seed in (0, 1)}
    text = (tmp_path / "attention" / "report.md").read_text()
    assert "12 base and 4 novel classes" in text
    assert "chance is 6.25 %" in text
    name = f"linear-probe (searched {chosen.name})"
    assert "Every searched row is the best of 3 points; not searched: prototypes." in text
    (searches,) = {tuple(run.searches.items()) for run in runs if name in run.variants}
    assert searches == ((name, Searched(3, ("learning_rate",))),)
    assert {run.parameters["learning_rate"] for run in runs if name in run.variants} == {"0.02"}
    weights = {run.variants[0]: run.facts["parameters"] for run in runs}
    assert weights == {"linear-probe": (12 + 10) * 16 + 16, name: (12 + 10) * 16 + 16, "prototypes": 0}
    assert all(run.facts["training seconds"] > 0 for run in runs)
    for run in runs:
        base, novel = (np.mean(run.scores[name]) for name in ("base", "novel"))
        assert generalised.METRICS[0].figure(run.scores) == pytest.approx(2 * base * novel / (base + novel))
