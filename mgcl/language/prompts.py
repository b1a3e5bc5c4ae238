"""Plain sentences with a class's name, for classes without written explanations."""

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
"""Templates of ``--explanations templates``. All are affirmative, since text encoders overlook a "not"."""


def prompt(label: str, template: str = TEMPLATES[0]) -> str:
    """Prompt of a label: the label inserted in a template, in which {} stands for it.

    >>> prompt("door_wood_knock")
    'the sound of door wood knock'
    """
    return template.format(spoken(label))


def templated(label: str) -> tuple[str, ...]:
    """A label inserted in every template, in their order; the first is its ``prompt``.

    >>> templated("Church_bells")[-1]
    'someone is listening to church bells'
    """
    return tuple(template.format(spoken(label)) for template in TEMPLATES)


def spoken(label: str) -> str:
    """A label as words in lower case, without underscores.

    >>> spoken("Gunshot_or_gunfire")
    'gunshot or gunfire'
    """
    return label.replace("_", " ").lower()
