"""What classes sound like, in words: one json file a data set, or a user's own."""

import functools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
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


def from_templates(labels: Collection[str]) -> Mapping[str, ClassText]:
    """The class names alone, in eight plain sentences each: for classes of which nothing is written."""
    return {label: ClassText(prompt(label), templated(label)) for label in labels}


def class_texts(
    labels: Collection[str], given: str | Path | Mapping[str, Sequence[str] | ClassText] | None = None
) -> tuple[ClassText, ...]:
    """What is said of each of some classes.

    Args:
        labels: of the classes.
        given: sentences by label; a json file (``read_explanations``); the name of a data set whose explanations come
            with mgcl; "templates", or None: the class names in plain sentences.

    Raises:
        DataError: nothing is said of a class, or more of one than of another.
    """
    if isinstance(given, Mapping):
        source = "the given explanations"
        said = _parsed(
            source,
            {
                label: {"explanations": list(each)} if not isinstance(each, ClassText) else asdict(each)
                for label, each in given.items()
            },
        )
    elif given is None or given == "templates":
        source, said = "templates", from_templates(labels)
    elif known := explanations(str(given)):
        source, said = f"the explanations of {given}", known
    else:
        source, said = str(given), read_explanations(Path(given))
    missing = [label for label in labels if label not in said]
    if missing:
        raise DataError(f"{source}: nothing on {', '.join(missing)}; add them, or leave explanations out altogether")
    return tuple(said[label] for label in labels)


def _parse(source: str, text: str) -> Mapping[str, ClassText]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{source}: not json ({error}); mend it there") from None
    return _parsed(source, content)


def _parsed(source: str, content: object) -> Mapping[str, ClassText]:
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
    if not isinstance(sentences, (list, tuple)) or not sentences:
        raise DataError(f'{where} has no list "explanations"; give it at least one sentence')
    for sentence in (named, *sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise DataError(f"{where}: {sentence!r} is no sentence; write one there")
    return ClassText(named, tuple(sentences))
