"""Values that a search chose, as a sweep takes them: ``mgcl sweep full_grid --params FILE``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mgcl.catalogue import load
from mgcl.errors import SweepError
from mgcl.records import Cell, Value, digest
from mgcl.tasks import Searchable

_FORMAT = 1


@dataclass(frozen=True)
class Choice:
    """The best point of one study."""

    tests: tuple[Any, ...]
    """That it is for, as the task's ``Problem.tests``; the study saw none of their classes."""
    apart: Value
    """The value of the task's ``APART`` that it is for; None: any."""
    values: Mapping[str, Value]
    validation: float
    """Its figure by the metric that is ranked, unscaled, on other classes."""
    points: int
    """That it is the best of."""


@dataclass(frozen=True)
class Chosen:
    """What a search hands to a sweep."""

    task: str
    bank: str
    """Digest of the feature bank."""
    variant: str
    """That was searched."""
    choices: tuple[Choice, ...]

    @property
    def name(self) -> str:
        """Six hex digits that tell it from what other searches chose."""
        return digest(self.content)[:6]

    @property
    def content(self) -> Mapping[str, Any]:
        """What its file holds; the task names the keys."""
        tests, apart, figure = _keys(self.task)
        choices = [
            {
                tests: [asdict(each) for each in choice.tests],
                apart: choice.apart,
                "values": dict(choice.values),
                figure: choice.validation,
                "points": choice.points,
            }
            for choice in self.choices
        ]
        return {"bank": self.bank, "variant": self.variant, "choices": choices}

    @property
    def tests(self) -> tuple[Any, ...]:
        """What may be tested with these values, in order."""
        return tuple(dict.fromkeys(test for choice in self.choices for test in choice.tests))

    def values(self, cell: Cell) -> Mapping[str, Value]:
        """The values for one cell.

        Raises:
            SweepError: none were searched for it.
        """
        task: Searchable = load("task", self.task)
        test, apart = task.tested(cell), task.place(cell).get(task.APART)
        for choice in self.choices:
            if test in choice.tests and choice.apart in (None, apart):
                return choice.values
        where = " ".join(task.study_name((test,), apart))
        raise SweepError(f"no values were searched for {where}; leave it out, or search it")


def write_chosen(file: Path, chosen: Chosen) -> None:
    """Write the file that ``read_chosen`` reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"format": _FORMAT, **chosen.content}
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_chosen(file: Path, bank: str, task: str) -> Chosen:
    """Read what a search chose.

    Args:
        file: that ``write_chosen`` wrote.
        bank: digest of the bank that it is to be used on.
        task: that it is to be used with.

    Raises:
        SweepError: it is not such a file, or of another bank or task; or the task has nothing to search.
    """
    if not hasattr(load("task", task), "problems"):
        raise SweepError(f"`params` {file}: the task {task} has nothing to search; leave it out")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise SweepError(f"`params` {file}: format {content['format']}, not {_FORMAT}; search again")
        choices = tuple(_choice(each, task) for each in content["choices"])
        chosen = Chosen(task, content["bank"], content["variant"], choices)
    except FileNotFoundError:
        raise SweepError(f"`params` {file}: no such file; `mgcl sweep search` writes it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SweepError(
            f"`params` {file}: not what `mgcl sweep search` writes for the task {task} ({error!r})"
        ) from None
    if chosen.bank != bank:
        raise SweepError(
            f"`params` {file}: was searched on bank {chosen.bank[:16]}, not on this one ({bank[:16]}); search again"
        )
    return chosen


def _keys(task: str) -> tuple[str, str, str]:
    """A choice's keys in the file: tests, apart and validation."""
    searched: Searchable = load("task", task)
    return searched.TESTS, searched.APART or "apart", f"validation_{searched.METRICS[0].name}"


def _choice(content: Mapping[str, Any], task: str) -> Choice:
    searched: Searchable = load("task", task)
    tests, apart, figure = (content[key] for key in _keys(task))
    made = tuple(
        searched.Test(**{name: tuple(each) if isinstance(each, list) else each for name, each in test.items()})
        for test in tests
    )
    return Choice(made, apart, content["values"], figure, content["points"])
