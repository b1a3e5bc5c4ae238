"""Zero-shot classification: the same answers as cosines by hand, and a sweep of one file."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgcl.errors import SearchError, SweepError
from mgcl.reporting.report import write
from mgcl.search.questions import Search, questions
from mgcl.sweep import Sweep
from mgcl.sweep.flags import drawn
from mgcl.sweep.grid import left_out, plan
from mgcl.sweep.trial import run_trial
from mgcl.tasks import zero_shot
from mgcl.tracking.runs import metrics_of, parameters_of, result_tags, tags_of, trial_run

SWEEP = Sweep("z", zero_shot.Draws(), ("zero-shot",), reference="zero-shot", baselines=())


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("sentences", zero_shot.TEXTS)
def test_answers_are_the_nearest_sentences(bank, sentences, monkeypatch) -> None:
    (planned,) = plan(replace(SWEEP, draws=zero_shot.Draws((sentences,))), bank)
    result = run_trial(planned.trial, bank)
    described = {"prompt": bank.prompt_embeddings, "explanations": unit(bank.explanation_embeddings).mean(1)}
    answers = (unit(bank.clip_embeddings) @ unit(described[sentences]).T).argmax(1)
    truth = np.array([bank.row_of_class[clip.label] for clip in bank.clip_records])
    assert result.scores == {"accuracy": tuple((answers == truth).astype(float))}
    (confusion,) = result.confusions
    assert confusion.classes == tuple(bank.row_of_class)
    assert confusion.accuracy == pytest.approx(result.mean("accuracy"))
    assert confusion.counts[0][1] == np.sum((truth == 0) & (answers == 1))
    monkeypatch.setattr(zero_shot, "_CLIPS_AT_ONCE", 7)
    assert run_trial(planned.trial, bank).scores == result.scores


def test_methods_that_learn_from_clips_are_left_out_and_said(bank) -> None:
    sweep = replace(SWEEP, variants=("zero-shot", "full"))
    assert {name for each in plan(sweep, bank) for name in each.variants} == {"zero-shot"}
    assert left_out(sweep, bank) == ("full learns from labelled clips: left out",)


def test_what_cannot_be_is_refused(bank) -> None:
    with pytest.raises(SweepError, match="`texts` captions: choose prompt or explanations"):
        zero_shot.Draws(("captions",))
    with pytest.raises(SweepError, match="`params`"):
        zero_shot.cells(zero_shot.Draws(), bank, only=("fold",))
    with pytest.raises(SearchError, match="the task zero_shot has nothing to search"):
        questions(Search("s", zero_shot.Draws()), bank)


def test_runs_come_back_and_a_report_is_drawn_with_an_interval_over_clips(bank, tmp_path) -> None:
    runs = []
    for planned in plan(SWEEP, bank):
        result = run_trial(planned.trial, bank)
        tags = tags_of(planned, bank) | result_tags(result)
        metrics = {name: value for name, value, _ in metrics_of(planned.trial, result)}
        run = trial_run("r", "FINISHED", 0.0, tags, parameters_of(planned), metrics)
        assert (run.key, run.scores) == (result.key, result.scores)
        runs.append(run)
    text = (write("z", runs, tmp_path) / "report.md").read_text()
    assert "95 % bootstrap interval (half its width) over the clips" in text
    accuracy = np.array(runs[0].scores["accuracy"])
    random = np.random.default_rng(1)
    means = random.choice(accuracy, (4000, len(accuracy))).mean(1)
    half = np.diff(np.quantile(means, (0.025, 0.975)))[0] / 2
    line = next(line for line in text.splitlines() if line.startswith("| zero-shot"))
    mean, half_width = map(float, line.split("|")[3].split("±"))
    assert mean == pytest.approx(100 * accuracy.mean(), abs=0.01)
    assert half_width == pytest.approx(100 * half, abs=0.6)


def test_the_sweep_file(bank) -> None:
    spec = importlib.util.spec_from_file_location("zero_shot", Path(__file__).parents[2] / "sweeps" / "zero_shot.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sweep = module.SWEEPS[0]
    assert [each.trial.cell.texts for each in plan(sweep, bank)] == ["prompt", "explanations"]
    flags = type("Flags", (), {"texts": ["prompt"], "protocol": None})
    assert drawn(sweep.draws, flags).texts == ("prompt",)
