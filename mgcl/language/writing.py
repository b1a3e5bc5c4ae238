"""Explanations of a user's own classes, asked of a text generator and checked before they are believed."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mgcl.append_log import AppendLog, append_log
from mgcl.errors import MgclError
from mgcl.files import replacing
from mgcl.language.explanations import ClassText, read_explanations
from mgcl.language.prompts import prompt, spoken
from mgcl.progress import Bar

Writer = Callable[[str], str]
"""Answers a prompt with text."""

CHARACTERISTICS = (
    ("source", "what makes the sound, and of what material or body it is"),
    ("onset", "how it begins"),
    ("pitch", "how high or low it is, and how that moves"),
    ("rhythm", "how it repeats or flows in time"),
    ("texture", "its timbre: rough or smooth, bright or dull, noisy or tonal"),
    ("duration", "how long it lasts, and how it ends"),
    ("setting", "where it is heard, and what that place adds"),
    ("distinction", "what sets it apart from everything else"),
)
"""What the explanations of a class are about, in their order."""
SHORTEST, LONGEST = 8, 20
"""Words of an explanation."""
TRIES = 3

_NEGATIONS = re.compile(
    r"no|not|never|none|neither|nor|without|cannot|nothing|lack|lacks|lacking|absent|absence|unlike|\w+n't"
)
_QUOTES = " *'\"“”"
_LEAD = re.compile(r"^\s*(?:[-*•]|\d+[.):])\s*")


def write_explanations(labels: Sequence[str], writer: Writer, out: Path, *, model: str) -> Mapping[str, ClassText]:
    """Have eight sentences written on every class, and save them in the form that ``read_explanations`` reads.

    Classes that ``out`` has already are kept: one can be written by hand. Every answer is stored beside it, in
    ``.answers.jsonl``, before it is looked at, and what was answered is not asked again.

    Args:
        labels: of the classes.
        writer: who writes.
        out: a json file.
        model: the writer's name; its answers are stored under it.

    Returns:
        The sentences by label.

    Raises:
        MgclError: the answers on a class break a rule time and again; names the first such class and the rule. All
            other classes are in ``out``.
    """
    written = dict(read_explanations(out)) if out.exists() else {}
    refused = {}
    with append_log(out.with_suffix(".answers.jsonl")) as answers:
        ask = _asking_once(writer, answers, model)
        for label in Bar([label for label in labels if label not in written], desc="explaining classes", unit="label"):
            sentences, broken = _write(label, [other for other in labels if other != label], ask)
            if broken:
                refused[label] = broken
            else:
                written[label] = ClassText(prompt(label), tuple(sentences))
                _save(out, written)
    if refused:
        label, broken = next(iter(refused.items()))
        raise MgclError(
            f"class {label!r}: {TRIES} answers of {model} break a rule, the last as {broken} ({len(refused)} of "
            f"{len(labels)} classes failed); write them into {out} by hand and run this again, or choose another model"
        )
    return {label: written[label] for label in labels}


def question(label: str, others: Iterable[str], broken: str = "") -> str:
    """What is asked about one class.

    Args:
        label: of the class.
        others: labels that its sentences must not name.
        broken: the rule that the answer before broke.
    """
    about = "\n".join(f"{i}. {name}: {what}" for i, (name, what) in enumerate(CHARACTERISTICS, 1))
    avoided = ", ".join(spoken(other) for other in others)
    return (
        f'Describe what the sound "{spoken(label)}" sounds like in {len(CHARACTERISTICS)} sentences, one about each of '
        f"these, in this order:\n{about}\n"
        f"Every sentence has {SHORTEST} to {LONGEST} words and says what can be heard, in positive words, never what "
        "is absent. "
        + (f"Name none of these other sounds: {avoided}. " if avoided else "")
        + "Answer with the sentences alone, one a line."
        + (f"\nYour answer before broke a rule: {broken}. Write all sentences again." if broken else "")
    )


def parse(answer: str) -> list[str]:
    r"""The sentences of an answer: its lines, without numbers, bullets, quotes and a model's thoughts aloud.

    >>> parse("<think>Hm.</think>1. A low hum.\n\n- 'A click.'")
    ['A low hum.', 'A click.']
    """
    lines = (_LEAD.sub("", line).strip(_QUOTES) for line in answer.rpartition("</think>")[2].splitlines())
    return [line for line in lines if line]


def broken_rule(sentences: Sequence[str], label: str, others: Iterable[str]) -> str:
    """The first rule that sentences on a class break, with the sentence; empty if they keep all.

    >>> broken_rule(["A bark."], "dog", ["cat"])
    'there are 1 sentences, not 8'
    """
    if len(sentences) != len(CHARACTERISTICS):
        return f"there are {len(sentences)} sentences, not {len(CHARACTERISTICS)}"
    seen: set[str] = set()
    for sentence in sentences:
        words = _words(sentence)
        if not SHORTEST <= len(words) <= LONGEST:
            return f'"{sentence}" has {len(words)} words, not {SHORTEST} to {LONGEST}'
        if negations := list(filter(_NEGATIONS.fullmatch, words)):
            return f'"{sentence}" negates: {negations[0]}'
        if named := _named(words, label, others):
            return f'"{sentence}" names another class: {named}'
        if " ".join(words) in seen:
            return f'"{sentence}" is there twice'
        seen.add(" ".join(words))
    return ""


def _write(label: str, others: Sequence[str], ask: Writer) -> tuple[list[str], str]:
    """Sentences, and the rule that they still break after the last try."""
    broken, sentences = "", []
    for _ in range(TRIES):
        sentences = parse(ask(question(label, others, broken)))
        broken = broken_rule(sentences, label, others)
        if not broken:
            break
    return sentences, broken


def _asking_once(writer: Writer, answers: AppendLog, model: str) -> Writer:
    known = {(record["model"], record["prompt"]): record["answer"] for record in answers.records}

    def ask(asked: str) -> str:
        if (model, asked) not in known:
            known[model, asked] = writer(asked)
            answers.append([{"model": model, "prompt": asked, "answer": known[model, asked]}])
        return str(known[model, asked])

    return ask


def _save(out: Path, written: Mapping[str, ClassText]) -> None:
    content = {label: asdict(text) for label, text in written.items()}
    with replacing(out) as draft:
        draft.write_text(f"{json.dumps(content, indent=1, ensure_ascii=False)}\n", encoding="utf-8")


def _named(words: Sequence[str], label: str, others: Iterable[str]) -> str:
    """The first other class whose whole name, or its plural, is among the words once the class's own is taken out."""
    text = f" {' '.join(words)} ".replace(f" {' '.join(_words(spoken(label)))} ", " , ")
    for other in others:
        name = " ".join(_words(spoken(other)))
        if f" {name} " in text or f" {name}s " in text:
            return spoken(other)
    return ""


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower().replace("’", "'"))
