"""What a comparison of answers with the true labels says."""

import pytest

from mgcl.classifier.answers import Answer
from mgcl.classifier.scores import THRESHOLDS, TurnedAway, judge


def answer(label: str, dog: float) -> Answer:
    return Answer("clip.wav", label, {"cat": 1 - dog, "dog": dog})


ANSWERS = [answer("dog", 0.92), answer("dog", 0.75), answer("none", 0.9), answer("cat", 0.3), answer("none", 0.6)]
TRUE = ["dog", "cat", "dog", "cat", "frog"]


def test_turned_away_are_counted_apart_for_the_classes_and_for_others() -> None:
    assert judge(TRUE, ANSWERS, "none").turned_away == TurnedAway(known=0.25, foreign=1.0)
    assert judge(TRUE[:4], ANSWERS[:4], "none").turned_away == TurnedAway(known=0.25, foreign=None)
    assert judge(TRUE[:4], ANSWERS[:4], None).turned_away is None


def test_a_threshold_says_how_many_are_answered_and_how_many_of_these_rightly() -> None:
    found = {each.probability: (each.answered, each.right) for each in judge(TRUE, ANSWERS, "none").thresholds}
    assert tuple(found) == THRESHOLDS
    assert found[0.0] == (3 / 5, pytest.approx(2 / 3))
    assert found[0.8] == (1 / 5, 1.0)
    assert found[0.95] == (0.0, None)
