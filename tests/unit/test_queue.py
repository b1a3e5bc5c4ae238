"""The queue of trials: each handed in once, whoever dies."""

import pytest

from mgcl.cluster.queue import Queue
from mgcl.records import Trial, TrialFailure
from tests import cases

TRIALS = [cases.trial(seed=seed) for seed in range(3)]


def outcome(trial: Trial, error: str = "done") -> TrialFailure:
    return TrialFailure(trial.key, error)


@pytest.fixture
def queue() -> Queue:
    return Queue(TRIALS)


def test_trials_go_out_in_order_and_outcomes_come_back_once(queue) -> None:
    first = queue.take("a", "host")
    assert queue.take("b", "host") == TRIALS[1]
    assert queue.take("a", "host", outcome(first)) == TRIALS[2]
    assert queue.collect(9) == [outcome(TRIALS[0])]
    assert queue.collect(9) == []
    assert queue.take("b", "host", outcome(TRIALS[1])) is None
    assert [held.trial for held in queue.held()] == [TRIALS[2]]


def test_outcomes_are_collected_a_few_at_a_time_the_oldest_first(queue) -> None:
    trial = queue.take("a", "host")
    while trial := queue.take("a", "host", outcome(trial)):
        pass
    assert [queue.collect(2), queue.collect(2), queue.collect(2)] == [
        [*map(outcome, TRIALS[:2])],
        [outcome(TRIALS[2])],
        [],
    ]


def test_a_lost_workers_trial_waits_behind_the_others(queue) -> None:
    queue.take("a", "host")
    assert queue.lost("a", "killed")
    assert [queue.take("b", "host", None if i == 0 else outcome(TRIALS[i])) for i in range(3)] == [
        *TRIALS[1:],
        TRIALS[0],
    ]


def test_a_worker_without_a_trial_loses_none(queue) -> None:
    assert not queue.lost("a", "killed")
    assert queue.take("a", "host") == TRIALS[0]


def test_a_new_process_in_a_dead_ones_place_gives_its_trial_back(queue) -> None:
    queue.take("a", "host")
    assert queue.take("a", "host") == TRIALS[1]
    assert queue.take("b", "host") == TRIALS[2]
    assert queue.take("c", "host") == TRIALS[0]


def test_a_trial_that_kills_three_workers_has_failed() -> None:
    queue = Queue(TRIALS[:1])
    for _ in range(3):
        assert queue.take("a", "host") == TRIALS[0]
        queue.lost("a", "killed by signal 11")
    assert queue.take("a", "host") is None
    assert queue.collect(9) == [TrialFailure(TRIALS[0].key, "its worker died 3 times", "killed by signal 11")]


def test_an_outcome_from_a_worker_thought_dead_counts_and_its_trial_is_not_run_again() -> None:
    queue = Queue(TRIALS[:1])
    queue.take("a", "host")
    queue.lost("a", "node unreachable")
    assert queue.take("a", "host", outcome(TRIALS[0])) is None
    assert queue.collect(9) == [outcome(TRIALS[0])]


def test_of_two_outcomes_of_a_trial_the_first_counts() -> None:
    queue = Queue(TRIALS[:1])
    queue.take("a", "host")
    queue.lost("a", "node unreachable")
    queue.take("b", "host")
    queue.take("a", "host", outcome(TRIALS[0], "first"))
    queue.take("b", "host", outcome(TRIALS[0], "second"))
    assert queue.collect(9) == [outcome(TRIALS[0], "first")]
