"""What classes sound like, in words: one json file a data set, or a user's own."""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mgcl.errors import DataError
from mgcl.language.prompts import prompt, templated

_SAME_CLASSES = {"esc10": "esc50"}


@dataclass(frozen=True)
class ClassText:
    """The sentences on one class."""

    prompt: str
    """Its name in a sentence."""
    explanations: tuple[str, ...]
    """Each on another audible characteristic; eight in mgcl's own files."""


@functools.cache
def explanations(dataset: str) -> Mapping[str, ClassText]:
    """The written sentences of a data set's classes, by label; empty where there are none.

    The splits of one data set, "soundscapes" and "soundscapes-training", share a file.
    """
    file = files(__package__).joinpath(f"{_SAME_CLASSES.get(dataset, dataset.split('-')[0])}.json")
    return _parse(file.name, file.read_text(encoding="utf-8")) if file.is_file() else {}


def read_explanations(file: Path) -> Mapping[str, ClassText]:
    """A user's own sentences: ``{label: {"explanations": [sentence, ...], "prompt": sentence}}``, the prompt optional.

    Raises:
        DataError: the file is missing or holds something else, a sentence is empty, or a class has more than another.
    """
    try:
        return _parse(str(file), file.read_text(encoding="utf-8"))
    except OSError:
        raise DataError(
            f"{file}: no such file; `mgcl explain-classes` writes one, and `--explanations templates` needs none"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 ({error}); save it as that") from None


def from_templates(labels: Iterable[str]) -> Mapping[str, ClassText]:
    """The class names alone, in eight plain sentences each: for classes of which nothing is written."""
    return {label: ClassText(prompt(label), templated(label)) for label in labels}


def _parse(source: str, text: str) -> Mapping[str, ClassText]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{source}: not json ({error}); mend it there") from None
    if not isinstance(content, dict) or not content:
        raise DataError(f'{source}: holds no classes; its form is {{label: {{"explanations": [sentence, ...]}}}}')
    found = {label: _class_text(f"{source}: class {label!r}", label, each) for label, each in content.items()}
    first, *others = found
    for label in others:
        here, there = len(found[label].explanations), len(found[first].explanations)
        if here != there:
            raise DataError(
                f"{source}: class {label!r} has {here} explanations and {first!r} {there}; give all as many"
            )
    return found


def _class_text(where: str, label: str, content: object) -> ClassText:
    own = content if isinstance(content, dict) else {}
    sentences, named = own.get("explanations"), own.get("prompt") or prompt(label)
    if not isinstance(sentences, list) or not sentences:
        raise DataError(f'{where} has no list "explanations"; give it at least one sentence')
    for sentence in (named, *sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise DataError(f"{where}: {sentence!r} is no sentence; write one there")
    return ClassText(named, tuple(sentences))
