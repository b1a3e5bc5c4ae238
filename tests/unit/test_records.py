"""The trial key: stable, and different for everything that can change a result."""

import pytest

from mgcl.details import Confusion
from mgcl.records import Fold, canonical_json
from tests.cases import changed_trial, trial

TRIAL = trial(
    bank="b" * 64,
    dataset="esc10",
    fold=Fold("all", 0, ("dog", "rain")),
    way=2,
    shot=1,
    queries=5,
    episodes=3,
    seed=0,
    split="clip",
    protocol=1,
    method="mgcl",
    version=1,
    parameters={"alpha": 1.1, "beta": 5.0},
)


def test_the_key_is_the_same_on_every_machine() -> None:
    assert TRIAL.key == "209d2d1ee8ec4cb4"


def test_the_order_of_parameters_does_not_matter() -> None:
    assert changed_trial(TRIAL, parameters={"beta": 5.0, "alpha": 1.1}).key == TRIAL.key


CHANGES = {
    "bank": "c" * 64,
    "dataset": "esc50",
    "fold": Fold("all", 0, ("dog", "cow")),
    "way": 3,
    "shot": 2,
    "queries": 6,
    "episodes": 4,
    "seed": 1,
    "split": "source",
    "protocol": 2,
    "method": "zero_shot",
    "version": 2,
    "parameters": {"alpha": 1.2, "beta": 5.0},
}


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_changes_the_key(field: str) -> None:
    assert changed_trial(TRIAL, **{field: CHANGES[field]}).key != TRIAL.key


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'


def test_accuracy_counts_the_diagonal() -> None:
    result = Confusion(("a", "b"), ((3, 1), (2, 2)))
    assert (result.correct, result.accuracy) == (5, 5 / 8)
