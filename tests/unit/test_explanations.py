"""The written sentences of the data sets."""

import re
from itertools import combinations

import pytest

from mgcl.language.explanations import explanations

CLASSES = {"esc50": 50, "fsdkaggle18": 41, "soundscapes": 105}
# The sentences of the soundscapes repeat each other: a model was trained on them as they are.
VARIED = ("esc50", "fsdkaggle18")
NEGATION = re.compile(
    r"\b(no|not|none|nor|neither|never|nothing|without|cannot|lacks?|lacking|absent|absence"
    r"|hardly|barely|rather than|unlike|instead)\b|n['\u2019]t\b",
    re.IGNORECASE,
)


def sentences(dataset: str) -> list[tuple[str, str]]:
    """The label and the text of each sentence."""
    return [(label, sentence) for label, text in explanations(dataset).items() for sentence in text.explanations]


def names(label: str) -> list[str]:
    """What a label calls its class: "Gunshot_or_gunfire" is a gunshot, and gunfire.

    >>> names("Gunshot_or_gunfire")
    ['gunshot', 'gunfire']
    """
    return label.replace("_", " ").lower().split(" or ")


def words(sentence: str) -> set[str]:
    """The different words of a sentence."""
    return set(re.findall(r"[\w'-]+", sentence.lower()))


@pytest.mark.parametrize(("dataset", "count"), CLASSES.items())
def test_all_classes_have_eight_explanations(dataset, count) -> None:
    """A class of a data set has one sentence on each of eight characteristics."""
    written = explanations(dataset)
    assert len(written) == count
    assert {len(text.explanations) for text in written.values()} == {8}


@pytest.mark.parametrize("dataset", CLASSES)
def test_prompts_are_distinct_phrases(dataset) -> None:
    """A prompt names a sound, and another one for each class."""
    prompts = [text.prompt for text in explanations(dataset).values()]
    assert len(set(prompts)) == len(prompts)
    assert [each for each in prompts if not each.startswith("the sound of ")] == []


@pytest.mark.parametrize("dataset", CLASSES)
def test_sentences_are_distinct(dataset) -> None:
    """No sentence is on two classes, or on two characteristics of one."""
    written = [sentence for _, sentence in sentences(dataset)]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("dataset", CLASSES)
def test_sentences_are_well_formed(dataset) -> None:
    """A capital, 6 to 24 words and a full stop."""
    form = re.compile(r"[A-Z]\S*( \S+){5,23}(?<=\w)\.")
    assert [each for each in sentences(dataset) if not form.fullmatch(each[1])] == []


@pytest.mark.parametrize("dataset", CLASSES)
def test_sentences_have_no_negation(dataset) -> None:
    """Text encoders read "no bark" as a bark."""
    assert [each for each in sentences(dataset) if NEGATION.search(each[1])] == []


@pytest.mark.parametrize("dataset", CLASSES)
def test_sentences_name_no_other_class(dataset) -> None:
    """A sentence may name its own class only, in the singular or the plural."""
    named = [
        (label, name, sentence)
        for label, sentence in sentences(dataset)
        for other in explanations(dataset)
        for name in names(other)
        if other != label and re.search(rf"\b{re.escape(name)}(s|es)?\b", sentence.lower())
    ]
    assert named == []


@pytest.mark.parametrize("dataset", VARIED)
def test_sentences_differ_in_their_words(dataset) -> None:
    """No two sentences have more than 0.6 of their words in common (Jaccard)."""
    written = [(sentence, words(sentence)) for _, sentence in sentences(dataset)]
    alike = [
        (one, another)
        for (one, first), (another, second) in combinations(written, 2)
        if len(first & second) > 0.6 * len(first | second)
    ]
    assert alike == []
