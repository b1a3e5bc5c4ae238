"""A class's name in a sentence."""


def prompt(label: str) -> str:
    """The sentence for a label that has none written for it.

    >>> prompt("door_wood_knock")
    'the sound of door wood knock'
    """
    return f"the sound of {label.replace('_', ' ').lower()}"
