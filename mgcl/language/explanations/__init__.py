"""Explanations of what classes sound like: one json file per data set, or a user's own."""

import functools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from mgcl.errors import DataError
from mgcl.language.prompts import TEMPLATES, prompt, templated

_SAME_CLASSES = {
    "esc10": "esc50",
    "soundscape_events": "soundscapes",
    "soundscape_phrases": "soundscapes",
    "soundscape_tags": "soundscapes",
}


@dataclass(frozen=True)
class ClassText:
    """The prompt and the explanations of one class."""

    prompt: str
    """Sentence with the class's name."""
    explanations: tuple[str, ...]
    """Sentences on one audible characteristic each; eight per class in mgcl's own files."""


@functools.cache
def explanations(dataset: str) -> Mapping[str, ClassText]:
    """The explanations of a data set's classes that come with mgcl, by label; empty if there are none.

    The splits of one data set, e.g. "soundscapes" and "soundscapes-training", share a file.
    """
    name = dataset.split("-")[0]
    file = files(__package__).joinpath(f"{_SAME_CLASSES.get(name, name)}.json")
    return _parse(file.name, file.read_text(encoding="utf-8")) if file.is_file() else {}


def read_explanations(file: Path, template: str = TEMPLATES[0]) -> Mapping[str, ClassText]:
    """Read a user's own explanations from a json file.

    Its form is ``{label: {"explanations": [sentence, ...], "prompt": sentence}}``; the prompt is optional.

    Args:
        file: the json file.
        template: template of the prompts of classes that have none there.

    Raises:
        DataError: the file is missing or has another form, a sentence is empty, or the classes have unequal numbers of
            explanations.
    """
    try:
        return _parse(str(file), file.read_text(encoding="utf-8"), template)
    except OSError:
        raise DataError(
            f"{file}: no such file; `mgcl explain-classes` writes one, and `--explanations templates` needs none"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 ({error}); save it as that") from None


def from_templates(labels: Collection[str], template: str = TEMPLATES[0]) -> Mapping[str, ClassText]:
    """Eight plain sentences with the class's name per class, for classes without written explanations.

    Args:
        labels: labels of the classes.
        template: template of their prompts.
    """
    return {label: ClassText(prompt(label, template), templated(label)) for label in labels}


def class_texts(
    labels: Collection[str], given: str | Path | Mapping[str, Sequence[str] | ClassText] | None = None
) -> tuple[ClassText, ...]:
    """The prompts and explanations of classes, in the order of ``labels``.

    Args:
        labels: labels of the classes.
        given: sentences by label; a json file (``read_explanations``); the name of a data set whose explanations come
            with mgcl; "templates" or None: plain sentences with the class names.

    Raises:
        DataError: a class has no explanations, or the classes have unequal numbers of them.
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


def _parse(source: str, text: str, template: str = TEMPLATES[0]) -> Mapping[str, ClassText]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{source}: not json ({error}); mend it there") from None
    return _parsed(source, content, template)


def _parsed(source: str, content: object, template: str = TEMPLATES[0]) -> Mapping[str, ClassText]:
    if not isinstance(content, dict) or not content:
        raise DataError(f'{source}: holds no classes; its form is {{label: {{"explanations": [sentence, ...]}}}}')
    found = {label: _class_text(f"{source}: class {label!r}", label, each, template) for label, each in content.items()}
    first, *others = found
    for label in others:
        here, there = len(found[label].explanations), len(found[first].explanations)
        if here != there:
            raise DataError(
                f"{source}: class {label!r} has {here} explanations and {first!r} {there}; give all as many"
            )
    return found


def _class_text(where: str, label: str, content: object, template: str) -> ClassText:
    own = content if isinstance(content, dict) else {}
    sentences, named = own.get("explanations"), own.get("prompt") or prompt(label, template)
    if not isinstance(sentences, (list, tuple)) or not sentences:
        raise DataError(f'{where} has no list "explanations"; give it at least one sentence')
    for sentence in (named, *sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise DataError(f"{where}: {sentence!r} is no sentence; write one there")
    return ClassText(named, tuple(sentences))
