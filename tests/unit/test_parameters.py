"""Nested records as flat names and values."""

from dataclasses import dataclass, field

import pytest

from mgcl.methods.few_shot.mgcl import Parameters
from mgcl.parameters import flat, from_flat
from mgcl.transport.matching import Matching


def test_fields_of_a_nested_record_stand_among_the_others() -> None:
    values = flat(Parameters(alpha=2.0, matching=Matching("uniform", epsilon=0.2)))
    assert (values["alpha"], values["matching"], values["epsilon"], values["gradient"]) == (
        2.0, "uniform", 0.2, "detached",
    )  # fmt: skip
    assert not {"kind"} & values.keys()


def test_flat_values_give_the_record_and_its_defaults() -> None:
    assert from_flat(Parameters, {}) == Parameters()
    assert from_flat(Parameters, {"epsilon": 0.2, "epochs": 3}) == Parameters(matching=Matching(epsilon=0.2), epochs=3)


@pytest.mark.parametrize("name", ["kind", "epsilom"])
def test_an_unknown_name_is_refused(name) -> None:
    with pytest.raises(TypeError, match=name):
        from_flat(Parameters, {name: 1.0})


def test_a_wrong_value_is_named_as_users_know_it() -> None:
    with pytest.raises(ValueError, match="matching must be one of 'transport', 'uniform', 'best-match', got 'x'"):
        from_flat(Parameters, {"matching": "x"})


@dataclass(frozen=True)
class Outer:
    """A record whose nested record has a default of its own."""

    matching: Matching = field(default_factory=lambda: Matching(epsilon=0.3, kind="uniform"))


def test_a_nested_record_keeps_the_defaults_that_its_owner_gives_it() -> None:
    assert from_flat(Outer, {}) == Outer()
    assert from_flat(Outer, {"epsilon": 0.2}) == Outer(Matching(epsilon=0.2, kind="uniform"))
