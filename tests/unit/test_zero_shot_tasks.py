"""Several labels, detection and retrieval: the figures of a direct computation, and which rows and banks run."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from mgcl.errors import SweepError
from mgcl.extraction.texts import Texts
from mgcl.features.header import Header
from mgcl.features.writer import write_bank
from mgcl.language.explanations import from_templates
from mgcl.language.prompt_sets import PROMPT_SETS
from mgcl.metrics import counts
from mgcl.metrics import detection as counting
from mgcl.metrics.jackknife import jackknife
from mgcl.metrics.psds import PSDS1_A, psds
from mgcl.reporting import published
from mgcl.reporting.blocks import markdown
from mgcl.reporting.tables import build
from mgcl.sweep import several
from mgcl.sweep.grid import left_out, plan
from mgcl.sweep.trial import run_trial
from mgcl.tasks import detection, grounding, multi_label, retrieval
from mgcl.tracking.runs import TAG_LIMIT, parameters_of, result_tags, tags_of, trial_run
from sweeps.zero_shot import SWEEPS

SWEEP = {each.draws.task: each for each in SWEEPS}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def trial_of(name, bank, row, **draws):
    sweep = replace(SWEEP[name], variants=(row,), draws=replace(SWEEP[name].draws, **draws))
    return plan(sweep, bank)[0].trial


@pytest.mark.parametrize(("row", "column"), [("zero-shot", "prompt"), ("mga-prompt", "mga_prompt")])
def test_map_is_scikit_learns_of_the_cosines_with_the_rows_sentences(zero_shot_bank, row, column) -> None:
    bank = zero_shot_bank
    result = run_trial(trial_of("multi_label", bank, row), bank)
    cosines = unit(bank.clip_embeddings) @ unit(bank.floats(column)).T
    truth = np.array([[label in clip for label in bank.row_of_class] for clip in bank.labels])
    assert not truth[1].any()  # a clip may have no label
    there = truth.any(0)
    assert there.tolist() == [True] * 4 + [False]
    assert len(result.scores["mAP"]) == len(truth)
    expected = average_precision_score(truth[:, there], cosines[:, there], average="macro")
    assert multi_label.METRICS[0].figure(result.scores) == pytest.approx(expected)


@pytest.fixture(scope="module")
def detected(zero_shot_bank):
    """The result of one trial."""
    return run_trial(trial_of("detection", zero_shot_bank, "zero-shot", threshold=0.5), zero_shot_bank)


def test_published_figures_stand_beside_ours_without_a_difference(detected, zero_shot_bank) -> None:
    (planned,) = plan(replace(SWEEP["detection"], variants=("zero-shot",)), zero_shot_bank)
    tags = tags_of(planned, zero_shot_bank) | result_tags(detected)
    assert max(map(len, tags.values())) <= TAG_LIMIT
    run = trial_run("r", "FINISHED", 0.0, tags, parameters_of(planned), {})
    tables = {table.metric.name: table for table in build([run])}
    assert list(tables) == [metric.name for metric in detection.METRICS]
    text = markdown(published.blocks(tables["PSDS1"]))
    assert "PSDS1, as published: MGA-CLAP, cited by FineLAP (ACL 2026), DESED." in text
    assert "0.264" in text
    assert "ours minus it" not in text
    assert not published.blocks(tables["event-F1"])


def test_detections_are_scored_by_the_metrics_of_the_segments_cosines(zero_shot_bank, detected) -> None:
    bank, result = zero_shot_bank, detected
    figures = {metric.name: metric.figure(result.scores) for metric in detection.METRICS}
    frames = counting.median_filtered(unit(bank.segment_embeddings) @ unit(bank.prompt_embeddings[:4]).T, 3)
    edges, seconds = np.linspace(0, 8, 17), np.full(30, 8.0)
    events = [counting.joined(each, 8.0) for each in bank.events]
    classes = tuple(bank.row_of_class)[:4]
    changes = counting.overlap_changes(frames, edges, events, classes, PSDS1_A.rule)
    assert figures["PSDS1_A"] == pytest.approx(psds(changes, events, classes, seconds, PSDS1_A)[0], abs=1e-6)
    assert 0 <= figures["PSDS1"] <= figures["PSDS1_A"]
    one = counting.segment_changes(frames, edges, events, classes)
    found = sum(np.array([each.sum() for each in counts.counts_at(changes, 0.5)]) for changes in one)
    assert figures["segment-F1"] == pytest.approx(counts.f1(*found))


def test_a_phrase_is_grounded_by_its_own_cosines_at_fifty_thresholds(phrase_bank) -> None:
    queries = phrase_bank
    trial = trial_of("grounding", queries, "zero-shot")
    found = grounding.METRICS[0].figure(run_trial(trial, queries).scores)
    own = unit(queries.prompt_embeddings)[[queries.row_of_class[each] for each in queries.clips["label"].to_pylist()]]
    cosines = np.einsum("csd,cd->cs", unit(queries.segment_embeddings), own)
    frames = counting.median_filtered(1 / (1 + np.exp(-cosines))[..., None], 3)[..., 0]
    hours, total = (
        len(frames) * queries.header.seconds / 3600,
        sum(len(counting.joined(e, 8.0)) for e in queries.events),
    )
    assert len(run_trial(trial, queries).scores["PSDS-0.5"]) == len(set(queries.clips["source"].to_pylist()))
    curve = []
    for threshold in (np.arange(50) + 0.5) / 50:
        hits = wrong = 0
        for scores, events in zip(frames, queries.events, strict=True):
            truth = [(each.onset, each.offset) for each in counting.joined(events, 8.0)]
            detected: list[list[float]] = []
            for place in np.flatnonzero(scores >= threshold):
                if detected and place / 2 - detected[-1][1] <= 0.5:
                    detected[-1][1] = (place + 1) / 2
                else:
                    detected.append([place / 2, (place + 1) / 2])
            shared = [[max(0.0, min(b, d) - max(a, c)) for c, d in truth] for a, b in detected]
            right = [sum(row) >= 0.5 * (b - a) for row, (a, b) in zip(shared, detected, strict=True)]
            wrong += len(right) - sum(right)
            covered = [sum(row[n] for row, ok in zip(shared, right, strict=True) if ok) for n in range(len(truth))]
            hits += sum(had >= 0.5 * (b - a) for had, (a, b) in zip(covered, truth, strict=True))
        curve.append((min(wrong / hours, 800.0), hits / total))
    best = [max([height for rate, height in curve if rate <= at], default=0) for at in np.arange(800)]
    assert 0.1 < found == pytest.approx(np.mean(best), abs=2e-3)


def test_no_clips_threshold_is_chosen_on_it(zero_shot_bank) -> None:
    random = np.random.default_rng(0)
    events = [counting.joined(each, 8.0) for each in zero_shot_bank.events]
    classes, edges = tuple(zero_shot_bank.row_of_class)[:4], np.linspace(0, 8, 17)
    frames = random.random((30, 16, 4))
    before = detection._counts(counting.segment_changes(frames, edges, events, classes), None)
    frames[0] = random.random((16, 4))
    frames[2] = 0
    after = detection._counts(counting.segment_changes(frames, edges, events, classes), None)
    same = [clip for clip in range(30) if (before[:, clip] == after[:, clip]).all()]
    assert set(range(4, 30, 2)) <= set(same)  # the even clips' thresholds are of the odd ones, which did not change
    assert not set(range(30)) <= set(same)


def test_jackknife_values_have_the_figure_as_mean_and_the_bootstraps_spread(zero_shot_bank) -> None:
    random = np.random.default_rng(0)
    scores = random.random(9)
    assert jackknife(lambda weights: weights @ scores / weights.sum(1), 9) == pytest.approx(scores)
    assert len(jackknife(lambda weights: weights @ scores / weights.sum(1), 9, most=4)) == 4
    three = jackknife(lambda weights: weights @ scores / weights.sum(1), 9, recordings=["a", "b", "c"] * 3)
    assert three == pytest.approx([scores[start::3].mean() for start in range(3)]), (
        "clips of one recording are one unit"
    )
    sizes = [0, 1, 1, 2, 2, 2, 3, 3, 3]  # of four recordings; a unit of two holds every other one
    of_clip = [str(size) for size in sizes]
    two = jackknife(lambda weights: weights @ scores / weights.sum(1), 9, most=2, recordings=of_clip)
    without = np.array([scores[[size % 2 != each for size in sizes]].mean() for each in range(2)])
    assert two == pytest.approx(scores.mean() + without.mean() - without)
    events = [counting.joined(each, 8.0) for each in zero_shot_bank.events]
    frames = unit(zero_shot_bank.segment_embeddings) @ unit(zero_shot_bank.prompt_embeddings[:4]).T
    classes, seconds = tuple(zero_shot_bank.row_of_class)[:4], np.full(30, 8.0)
    rule = replace(PSDS1_A, max_efpr=1000.0)
    changes = counting.overlap_changes(frames, np.linspace(0, 8, 17), events, classes, rule.rule)

    def figure(weights):
        return psds(changes, events, classes, seconds, rule, weights)

    values = jackknife(figure, 30)
    assert values.mean() == pytest.approx(figure(np.ones((1, 30)))[0])
    drawn = figure(random.multinomial(30, np.full(30, 1 / 30), size=2000).astype(float))
    assert values.std() / 30**0.5 == pytest.approx(drawn.std(), rel=0.2)


@pytest.mark.parametrize("direction", retrieval.DIRECTIONS)
def test_retrieval_is_a_mean_over_queries_however_many_captions_a_clip_has(zero_shot_bank, direction) -> None:
    bank, captions = zero_shot_bank, zero_shot_bank.ragged("captions")
    owner = np.repeat(np.arange(30), captions.lengths)
    result = run_trial(trial_of("retrieval", bank, "cosine", directions=(direction,)), bank)
    cosines = unit(captions.values) @ unit(bank.clip_embeddings).T
    relevant = owner[:, None] == np.arange(30)
    if direction == "audio-to-text":
        cosines, relevant = cosines.T, relevant.T
    best = [1 + (row > row[right].max()).sum() for row, right in zip(cosines, relevant, strict=True)]
    assert len(set(captions.lengths)) > 1
    for k in (1, 5, 10):
        assert len(result.scores[f"recall at {k}"]) == 30
        assert result.mean(f"recall at {k}") == pytest.approx(np.mean(np.array(best) <= k))


def test_accuracy_is_the_mean_of_unequal_folds_where_the_bank_says_so(bank, tmp_path) -> None:
    rows = [0, 1, 20, 21, 22, 40, 41, 60, 61, 62, 63, 80]
    folds = np.array([1] * 3 + [2] * 8 + [3])
    clips = bank.clips.take(rows).to_pydict() | {"fold": folds.tolist()}
    columns = {"clip_embedding": bank.clip_embeddings[rows], "segment_embeddings": bank.segment_embeddings[rows]}
    told = {name: clips[name] for name in ("clip_id", "label", "fold")} | columns
    classes = {name: bank.classes[name].to_pylist() for name in ("label", "prompt", "explanations")}
    classes |= {"prompt_embedding": bank.prompt_embeddings, "explanation_embeddings": bank.explanation_embeddings}
    found = {}
    for over in (False, True):
        header = Header("d", "1", "CC0-1.0", "drawn", 24, 30.0, 16000, 5.0, 5, mean_over_folds=over)
        folded = write_bank(tmp_path / str(over), header, told, classes)
        found[over] = np.array(run_trial(trial_of("zero_shot", folded, "zero-shot"), folded).scores["accuracy"])
    of_folds = [found[False][folds == fold].mean() for fold in (1, 2, 3)]
    assert found[True].mean() == pytest.approx(np.mean(of_folds))
    assert np.mean(of_folds) != pytest.approx(found[False].mean())
    told["fold"][0] = None
    with pytest.raises(SweepError, match="a clip has no fold"):
        run_trial(trial_of("zero_shot", again := write_bank(tmp_path / "c", header, told, classes), "zero-shot"), again)


def test_a_bank_has_the_prompt_sets_that_it_was_extracted_with() -> None:
    texts = Texts(from_templates(["Door_knock", "rain"])).with_prompt_sets(["mga", "plain"])
    said = list(texts.sentences)
    assert said[:4] == ["door knock can be heard", "rain can be heard", "door knock", "rain"]
    columns = texts.prompt_columns(["Door_knock", "rain"], {each: np.full(2, len(each)) for each in said})
    assert columns["mga_prompt"] == said[:2]
    assert columns["plain_prompt_embedding"].tolist() == [[10, 10], [4, 4]]
    assert texts.owner("door knock") == "a prompt of class Door_knock"


def test_rows_without_their_sentences_are_left_out_by_name(bank, zero_shot_bank) -> None:
    words = " ".join(left_out(SWEEP["zero_shot"], bank))
    assert "this bank lacks mga_prompt (`mgcl extract --prompt-sets` writes prompt sets): left out: mga-prompt" in words
    assert len(plan(SWEEP["detection"], zero_shot_bank)) == len(PROMPT_SETS) + 2
    only = replace(SWEEP["retrieval"], variants=("plain-prompt",))
    with pytest.raises(SweepError, match="plain-prompt reads class texts: left out"):
        plan(only, zero_shot_bank)


def test_every_task_runs_on_the_banks_that_have_what_it_reads(bank, zero_shot_bank, monkeypatch, capsys) -> None:
    done = {}
    monkeypatch.setattr(several, "swept", lambda sweep, _, banks: done.update({sweep.name: (sweep, banks)}) or 0)
    where = ["--bank", str(bank.path), str(zero_shot_bank.path)]
    assert several._main(SWEEPS, where) == 0
    assert {name: list(banks) for name, (_, banks) in done.items()} == {
        "zero_shot": where[1:2],
        **dict.fromkeys(("multi_label", "detection", "retrieval"), where[2:]),
    }
    done.clear()
    words = ["--tasks", "zero_shot", "detection", "--median", "1", "5", "--variants", "mga-prompt"]
    assert several._main(SWEEPS, ["--bank", where[2], *words]) == 0
    assert "zero_shot: left out: no bank has label" in capsys.readouterr().out
    ((sweep, _),) = done.values()
    assert (sweep.draws.medians, sweep.variants, sweep.reference) == ((1, 5), ("mga-prompt",), "mga-prompt")
    with pytest.raises(SweepError, match="nothing is left to run"):
        several._main(SWEEPS, ["--bank", where[1], "--tasks", "retrieval"])


def test_what_cannot_be_is_refused(bank, zero_shot_bank) -> None:
    with pytest.raises(SweepError, match="`medians` 4: choose an odd number"):
        detection.Draws((4,))
    with pytest.raises(SweepError, match="`directions` up"):
        retrieval.Draws(("up",))
    for task in (detection, grounding, multi_label, retrieval):
        with pytest.raises(SweepError, match="this bank lacks"):
            task.cells(task.Draws(), bank)
        with pytest.raises(SweepError, match="`params`"):
            task.cells(task.Draws(), zero_shot_bank, only=("x",))
    with pytest.raises(SweepError, match="lacks a phrase"):
        grounding.cells(grounding.Draws(), zero_shot_bank)


def test_grounding_needs_queries_of_two_recordings(phrase_bank, monkeypatch) -> None:
    monkeypatch.setattr(grounding, "_recordings", lambda bank: ["one"] * len(bank.clips))
    with pytest.raises(SweepError, match="needs queries of two recordings, and an event; name another"):
        grounding.cells(grounding.Draws(), phrase_bank)


def test_grounding_closes_gaps_of_whole_frames(phrase_bank, monkeypatch) -> None:
    closed = []
    points = counting.Points
    monkeypatch.setattr(counting, "Points", lambda thresholds, gap: closed.append(gap) or points(thresholds, gap))
    monkeypatch.setattr(grounding, "closed_gap", lambda step: 2 * step)
    run_trial(trial_of("grounding", phrase_bank, "zero-shot"), phrase_bank)
    assert closed == [2 * phrase_bank.header.seconds / phrase_bank.header.segments]
