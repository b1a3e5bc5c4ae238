"""A class's name in a sentence."""

TEMPLATES = (
    "the sound of {}",
    "a recording of {}",
    "an audio clip of {}",
    "this is the sound of {}",
    "a recording in which {} can be heard",
    "{} can be heard",
    "a sound made by {}",
    "someone is listening to {}",
)
"""The sentences of ``--explanations templates``; all affirm, for text towers overlook a "not"."""


def prompt(label: str) -> str:
    """The sentence for a label that has none written for it.

    >>> prompt("door_wood_knock")
    'the sound of door wood knock'
    """
    return templated(label)[0]


def templated(label: str) -> tuple[str, ...]:
    """A label in every template, its ``prompt`` first.

    >>> templated("Church_bells")[-1]
    'someone is listening to church bells'
    """
    return tuple(template.format(spoken(label)) for template in TEMPLATES)


def spoken(label: str) -> str:
    """A label in words.

    >>> spoken("Gunshot_or_gunfire")
    'gunshot or gunfire'
    """
    return label.replace("_", " ").lower()
