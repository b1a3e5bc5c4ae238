"""Prompt sets: published ways to write one sentence per class, compared as rows of a table.

A set is a template, in which {} stands for the class's name. A bank has a column of sentences for each set that it was
extracted with.
"""

from collections.abc import Mapping

from mgcl.language.prompts import spoken

PROMPT_SETS: Mapping[str, str] = {
    # The bare name: MGA-CLAP's UrbanSound8K and detection, and what a prompt is to be measured against
    "plain": "{}",
    # MGA-CLAP (arXiv 2408.07919): ESC-50 and VGGSound
    "mga": "{} can be heard",
    # MAEB (mteb): all classification tasks; its own sentences keep the underscores of ESC-50's names, these do not
    "maeb": "This is a sound of {}",
    # FineLAP (ACL 2026)
    "finelap": "The sound of {}",
}
"""Name of a set -> its template."""


def prompt_of(name: str, label: str) -> str:
    """Prompt of a label in a set.

    >>> prompt_of("mga", "door_wood_knock")
    'door wood knock can be heard'
    """
    return PROMPT_SETS[name].format(spoken(label))
