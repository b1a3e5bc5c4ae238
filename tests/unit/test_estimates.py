"""How long trials take, learned from others; long ones first."""

import pytest

from mgcl.cluster.queue import Held
from mgcl.records import Trial, TrialFailure
from mgcl.sweep.estimates import Pace, estimator, longest_first, work
from tests.cases import changed_run, changed_trial, trial
from tests.unit.test_tables import RUN

TRAINED = trial(parameters={"epochs": 20, "alpha": 1.0})
UNTRAINED = changed_trial(TRAINED, method="zero_shot", parameters={})


def test_work_counts_queries_once_and_support_once_and_an_epoch() -> None:
    assert work(TRAINED) == 20 * 5 * (15 + 1 * 21)
    assert work(UNTRAINED) == 20 * 5 * (15 + 1)


def test_nothing_is_known_without_runs_and_then_work_decides() -> None:
    seconds = estimator([TRAINED], [])
    assert seconds(TRAINED) is None
    more = changed_trial(TRAINED, shot=5)
    assert longest_first([UNTRAINED, TRAINED, more], seconds) == [more, TRAINED, UNTRAINED]


def took(trial: Trial, seconds: float):
    return changed_run(RUN, key=trial.key, seconds=seconds)


def test_the_most_alike_is_asked_first() -> None:
    other_variant = changed_trial(TRAINED, parameters={"epochs": 20, "alpha": 0.0})
    other_shot, other_seed = changed_trial(TRAINED, shot=5), changed_trial(TRAINED, seed=1)
    trials = [TRAINED, UNTRAINED, other_variant, other_shot, other_seed]
    assert estimator(trials, [took(TRAINED, 7.0)])(other_seed) == 7.0
    assert estimator(trials, [took(TRAINED, 7.0), took(UNTRAINED, 1.0)])(other_variant) == 7.0
    assert estimator(trials, [took(other_shot, 100.0), took(TRAINED, 7.0)])(other_seed) == 7.0
    assert estimator(trials, [took(TRAINED, 7.2)])(UNTRAINED) == pytest.approx(7.2 * 16 / 36)


def test_failed_runs_and_runs_of_other_trials_teach_nothing() -> None:
    failed = changed_run(RUN, key=TRAINED.key, status="FAILED", seconds=None)
    assert estimator([TRAINED], [failed, took(UNTRAINED, 1.0)])(TRAINED) is None


def test_known_seconds_decide_the_order() -> None:
    seconds = {TRAINED.key: 1.0, UNTRAINED.key: 2.0}
    assert longest_first([TRAINED, UNTRAINED], lambda trial: seconds[trial.key]) == [UNTRAINED, TRAINED]


def test_a_pace_counts_trials_of_one_kind_together_and_each_once() -> None:
    trials = [changed_trial(TRAINED, seed=seed) for seed in range(4)]
    watched = Pace(trials, [took(trials[0], 10.0)], {each.key for each in trials[1:]})
    assert watched.seconds_left((), 0.0) == pytest.approx(30.0)
    for _ in range(2):  # a trial may end twice: a worker that was given up may still answer
        watched.end(TrialFailure(trials[1].key, "no"), 0.0)
    assert watched.left == {trials[2].key, trials[3].key}
    assert watched.seconds_left([Held(trials[2], "host", 0.0)], 5.0) == pytest.approx(15.0)
