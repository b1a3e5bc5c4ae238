"""What classes sound like, in words: one json file a data set."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from mgcl.language.prompts import prompt

_SAME_CLASSES = {"esc10": "esc50"}


@dataclass(frozen=True)
class ClassText:
    """The sentences on one class."""

    prompt: str
    """Its name in a sentence."""
    explanations: tuple[str, ...]
    """Eight, each on another audible characteristic."""


@functools.cache
def explanations(dataset: str) -> Mapping[str, ClassText]:
    """The written sentences of a data set's classes, by label; empty where there are none.

    The splits of one data set, "soundscapes" and "soundscapes-training", share a file.
    """
    file = files(__package__).joinpath(f"{_SAME_CLASSES.get(dataset, dataset.split('-')[0])}.json")
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return {
        label: ClassText(each.get("prompt") or prompt(label), tuple(each["explanations"]))
        for label, each in content.items()
    }
