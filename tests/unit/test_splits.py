"""Folds: published, seeded, or all classes."""

import json
from pathlib import Path

import pytest

from mgcl.data._splits import PROTOCOLS, folds, published_subsets
from mgcl.errors import SweepError

LABELS = [f"c{index:02}" for index in range(20)]
SUBSETS = Path(__file__).parents[3] / "shared" / "facts" / "treff_class_subsets.json"


def test_without_published_folds_there_is_one_of_all_classes() -> None:
    (fold,) = folds("mine", LABELS[::-1])
    assert (fold.kind, fold.index, fold.classes) == ("all", 0, tuple(LABELS))


def test_seeded_subsets_depend_on_the_classes_not_on_their_order_or_the_count() -> None:
    few, many = folds("mine", LABELS, count=2, size=7), folds("mine", LABELS[::-1], count=5, size=7)
    assert many[:2] == few
    assert len({fold.classes for fold in many}) == 5
    assert all(len(set(fold.classes)) == 7 and set(fold.classes) <= set(LABELS) for fold in many)


def test_seeded_subsets_are_pinned() -> None:
    (fold,) = folds("mine", LABELS[:6], count=1, size=3)
    assert fold.classes == ("c02", "c03", "c05")


@pytest.mark.parametrize(("dataset", "size", "classes"), [("esc50", 15, 40), ("fsdkaggle18", 10, 32)])
def test_published_folds(dataset, size, classes) -> None:
    text = Path(__file__).parents[2].joinpath("mgcl/data/published_folds.json").read_text()
    labels = {label for fold in json.loads(text)["folds"][dataset] for label in fold}
    published = folds(dataset, labels)
    assert [len(set(fold.classes)) for fold in published] == [size] * 5
    assert len(labels) == classes


@pytest.mark.parametrize("name", ["ESC-50", "esc_50", "ESC50"])
def test_a_data_sets_name_may_be_spelt_as_people_do(name) -> None:
    with pytest.raises(SweepError, match="published folds of"):
        folds(name, ["dog"])


@pytest.mark.skipif(not SUBSETS.is_file(), reason="the fact sheet is not here")
@pytest.mark.parametrize("dataset", ["esc50", "fsdkaggle18"])
def test_published_folds_are_the_fact_sheets(dataset) -> None:
    subsets = [each["names"] if isinstance(each, dict) else each for each in json.loads(SUBSETS.read_text())[dataset]]
    labels = {label for subset in subsets for label in subset}
    assert [fold.classes for fold in folds(dataset, labels)] == [tuple(sorted(subset)) for subset in subsets]


def test_a_bank_that_lacks_a_published_class_is_refused() -> None:
    with pytest.raises(SweepError, match=r"published folds of esc50 need classes that the bank lacks: .*`folds` N"):
        folds("esc50", ["dog", "rain"])


@pytest.mark.parametrize(("count", "size"), [(3, None), (None, 3), (0, 3), (1, 1), (1, 21)])
def test_impossible_subsets_are_refused(count, size) -> None:
    with pytest.raises(SweepError, match="`fold"):
        folds("mine", LABELS, count=count, size=size)


def test_protocols_of_fsdkaggle18() -> None:
    labels = [f"c{index:02}" for index in range(9)] + sorted(
        {label for subset in published_subsets("FSDKaggle2018") or () for label in subset}
    )
    assert len(labels) == 41
    shapes = {
        name: [(fold.kind, len(fold.classes)) for fold in folds("fsdkaggle18", labels, count=count, size=size)]
        for name, (count, size) in PROTOCOLS.items()
    }
    assert shapes == {"treff": [("published", 10)] * 5, "mgcl": [("seeded", 15)] * 5}
