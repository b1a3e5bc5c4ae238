"""PSDS and F1 equal sed_scores_eval's, whose figures sound_event_oracle.py recorded; rankings equal scikit-learn's."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from mgcl.events import Event
from mgcl.metrics import counts, detection, psds, ranking
from mgcl.metrics.matching import Collars, Intersections

RECORDED = json.loads(Path(__file__).with_name("sound_events.json").read_text())
CASES = {case["name"]: case for case in RECORDED["cases"]}
EDGES = np.linspace(0, RECORDED["seconds"], RECORDED["frames"] + 1)


def events_of(recorded):
    return [detection.joined([Event(*event) for event in clip], RECORDED["seconds"]) for clip in recorded["events"]]


@pytest.fixture(params=CASES)
def case(request):
    recorded = CASES[request.param]
    events = events_of(recorded)
    return recorded, np.array(recorded["scores"]), events, recorded["classes"]


@pytest.mark.parametrize("name", RECORDED["parameters"])
def test_psds(case, name) -> None:
    recorded, scores, events, classes = case
    rule = RECORDED["parameters"][name]
    parameters = psds.Psds(
        Intersections(rule["dtc"], rule["gtc"], rule["cttc"]),
        rule["alpha_ct"],
        rule["alpha_st"],
        rule["max_efpr"],
    )
    assert name not in ("PSDS1", "PSDS1_A", "PSDS2") or parameters == getattr(psds, name)
    changes = detection.overlap_changes(scores, EDGES, events, classes, parameters.rule)
    seconds = np.full(len(events), RECORDED["seconds"])
    (found,) = psds.psds(changes, events, classes, seconds, parameters)
    assert found == pytest.approx(recorded["psds"][name], abs=1e-6)


def test_all_thresholds_as_operating_points_are_all_thresholds(case) -> None:
    _, scores, events, classes = case
    rule, seconds = Intersections(0.5, 0.5, 0.3), np.full(len(events), RECORDED["seconds"])
    parameters = psds.Psds(rule, 1.0, 1.0, 3000.0)
    points = detection.Points(np.unique(scores)[::-1])
    found = [
        psds.psds(changes, events, classes, seconds, parameters)[0]
        for changes in (
            detection.overlap_changes(scores, EDGES, events, classes, rule, each) for each in (None, points)
        )
    ]
    assert found[1] == pytest.approx(found[0], abs=1e-9)


def test_a_short_gap_is_closed_at_every_operating_point_by_itself() -> None:
    scores = np.array([[0.9, 0.3, 0.9, 0.3, 0.3, 0.9, 0.1, 0.1]])[..., None]
    events, edges = [[Event(0.0, 1.5, "a"), Event(2.5, 3.0, "a")]], np.arange(9) / 2
    rule = Intersections(0.7, 0.7)

    def counted(gap: float, *thresholds: float) -> list[tuple[float, float]]:
        points = detection.Points(np.array(thresholds), gap)
        (found,) = detection.overlap_changes(scores, edges, events, ["a"], rule, points)
        each = (counts.counts_at(found, threshold - 1e-6) for threshold in thresholds)
        return [(hits.sum(), wrong.sum()) for hits, wrong, _ in each]

    assert counted(0.0, 0.5, 0.2) == [(1, 0), (0, 1)]  # two frames of an event's three are less than 0.7 of it
    assert counted(0.5, 0.5, 0.2) == [(2, 0), (0, 1)]
    assert counted(1.0, 0.5) == [(0, 1)]  # one detection of 3 s, of which events cover 2 s


def test_a_resample_has_the_psds_of_its_clips(monkeypatch) -> None:
    recorded = CASES["random 1"]
    events = events_of(recorded)
    scores, classes, seconds = np.array(recorded["scores"]), recorded["classes"], np.full(len(events), 10.0)
    rows = np.array([[0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 3, 5, 5, 5, 6, 7], [2, 2, 2, 2, 2, 2, 2, 2]])
    weights = np.stack([np.bincount(each, minlength=8) for each in rows]).astype(float)
    parameters = psds.Psds(Intersections(0.5, 0.5, 0.3), 1.0, 1.0, 3000.0)
    changes = detection.overlap_changes(scores, EDGES, events, classes, parameters.rule)
    monkeypatch.setattr(psds, "_AT_ONCE", 1)
    found = psds.psds(changes, events, classes, seconds, parameters, weights)
    for figure, each in zip(found, rows, strict=True):
        drawn = [events[row] for row in each]
        there = sorted({event.label for clip in drawn for event in clip})
        heard = scores[each][..., [classes.index(name) for name in there]]
        again = detection.overlap_changes(heard, EDGES, drawn, there, parameters.rule)
        assert figure == pytest.approx(psds.psds(again, drawn, there, seconds, parameters)[0])


@pytest.mark.parametrize("kind", ["event", "segment"])
def test_f1(case, kind) -> None:
    recorded, scores, events, classes = case
    if kind == "event":
        changes = detection.collar_changes(scores, EDGES, events, classes, Collars())
    else:
        changes = detection.segment_changes(scores, EDGES, events, classes)
    found = np.array([[each.sum() for each in counts.counts_at(one, 0.555)] for one in changes])
    for name, (hits, false_alarms, misses) in zip(classes, found, strict=True):
        assert [hits, false_alarms, hits + misses] == recorded[kind]["counts"][name]
    assert counts.f1(*found.T).mean() == pytest.approx(recorded[kind]["macro"], abs=1e-6)
    assert counts.f1(*found.sum(0)) == pytest.approx(recorded[kind]["micro"], abs=1e-6)
    for name, one in zip(classes, changes, strict=True):
        best, threshold = recorded[f"best {kind}"][name]
        chosen = counts.best_threshold(one, np.ones(len(events), bool))
        assert counts.f1(*(each.sum() for each in counts.counts_at(one, chosen))) == pytest.approx(best, abs=1e-6)
        assert chosen == pytest.approx(threshold) or best == 0


def test_average_precision_is_scikit_learns_with_ties_and_weights() -> None:
    random = np.random.default_rng(0)
    scores, truth = random.integers(6, size=(60, 4)) / 5, random.random((60, 4)) < 0.3
    weights = random.integers(3, size=(2, 60)).astype(float)
    for times in (None, weights):
        for row, found in enumerate(ranking.average_precision(scores, truth, times)):
            weight = None if times is None else times[row]
            expected = average_precision_score(truth, scores, average=None, sample_weight=weight)
            assert found == pytest.approx(expected)
    truth[:, 1] = False
    found = ranking.average_precision(scores, truth)
    assert np.isnan(found[0, 1])
    rest = average_precision_score(truth[:, [0, 2, 3]], scores[:, [0, 2, 3]], average="macro")
    assert ranking.mean_over_classes(found)[0] == pytest.approx(rest)


def test_retrieval_equals_a_brute_force_in_which_ties_go_to_what_is_not_relevant() -> None:
    random = np.random.default_rng(1)
    similarities, relevant = random.integers(8, size=(30, 14)) / 7, random.random((30, 14)) < 0.2
    relevant[np.arange(30), random.integers(14, size=30)] = True
    listed = ranking.ranked(similarities, relevant)
    for row in range(30):
        found = sorted(zip(-similarities[row], relevant[row], strict=True))
        right = [bool(each) for _, each in found]
        for k in (1, 5, 10):
            assert ranking.recall_at(listed, k)[row] == any(right[:k])
        precisions = [sum(right[: place + 1]) / (place + 1) for place in range(10) if right[place]]
        assert ranking.average_precision_at(listed, 10)[row] == pytest.approx(sum(precisions) / min(sum(right), 10))


def test_events_of_one_class_that_touch_are_one_and_end_with_the_clip() -> None:
    events = [Event(1, 3, "dog"), Event(3, 5, "dog"), Event(2, 4, "rain"), Event(8, 12, "dog"), Event(11, 12, "rain")]
    assert detection.joined(events, 10) == (Event(1, 5, "dog"), Event(2, 4, "rain"), Event(8, 10, "dog"))


def test_a_median_filter_mirrors_the_ends() -> None:
    scores = np.array([[3.0, 1, 4, 1, 5]])[..., None]
    assert detection.median_filtered(scores, 3)[0, :, 0].tolist() == [3, 3, 1, 4, 5]
    assert np.array_equal(detection.median_filtered(scores, 1), scores)
