"""Explanations of a user's own classes, written by a text generator and checked against rules."""

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
"""A text generator: takes a prompt and returns text."""

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
"""Name and description of the characteristic that each explanation of a class is about, in the explanations' order."""
SHORTEST, LONGEST = 8, 20
"""Least and greatest number of words in an explanation."""
TRIES = 3
"""Number of answers that are requested for one class before it fails."""

_NEGATIONS = re.compile(
    r"no|not|never|none|neither|nor|without|cannot|nothing|lack|lacks|lacking|absent|absence|unlike|\w+n't"
)
_QUOTES = " *'\"“”"
_LEAD = re.compile(r"^\s*(?:[-*•]|\d+[.):])\s*")


def write_explanations(labels: Sequence[str], writer: Writer, out: Path, *, model: str) -> Mapping[str, ClassText]:
    """Write eight explanations of every class, and save them in the form that ``read_explanations`` reads.

    Classes that ``out`` holds already are kept, e.g. those written by hand. Every answer is stored beside ``out``, in
    ``.answers.jsonl``, before it is checked. A stored answer is reused, so that no prompt is sent twice.

    Args:
        labels: labels of the classes.
        writer: text generator that writes the explanations.
        out: json file to write.
        model: name of the writer; its answers are stored under this name.

    Returns:
        The sentences by label.

    Raises:
        MgclError: all answers on a class break a rule; names the first such class and the rule of its last answer. All
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
    """Prompt that requests the explanations of one class.

    Args:
        label: label of the class.
        others: labels of other classes, which the sentences must not name.
        broken: the rule that the previous answer broke; empty: there is no previous answer.
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
    r"""The sentences of an answer: its lines, without numbers, bullets, quotes and the model's reasoning.

    >>> parse("<think>Hm.</think>1. A low hum.\n\n- 'A click.'")
    ['A low hum.', 'A click.']
    """
    lines = (_LEAD.sub("", line).strip(_QUOTES) for line in answer.rpartition("</think>")[2].splitlines())
    return [line for line in lines if line]


def broken_rule(sentences: Sequence[str], label: str, others: Iterable[str]) -> str:
    """The first rule that the sentences on a class break, with the sentence that breaks it; empty if none is broken.

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
    """Request the sentences on one class, up to ``TRIES`` times.

    Returns:
        The last answer's sentences, and the rule that they break, or an empty string.
    """
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
    """The first other class whose name or plural occurs in the words; empty if none does.

    The class's own name is taken out of the words first, since it may contain the name of another class.
    """
    text = f" {' '.join(words)} ".replace(f" {' '.join(_words(spoken(label)))} ", " , ")
    for other in others:
        name = " ".join(_words(spoken(other)))
        if f" {name} " in text or f" {name}s " in text:
            return spoken(other)
    return ""


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower().replace("’", "'"))
