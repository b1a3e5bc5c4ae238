"""Values that a search chose, in the file that a sweep reads: ``mgcl sweep full_grid --params FILE``."""

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
    """Best point of one study."""

    tests: tuple[Any, ...]
    """Tests that the values are for, as the task's ``Problem.tests``; the study used none of their classes."""
    apart: Value
    """Value of the task's ``APART`` that the values are for; None: any."""
    values: Mapping[str, Value]
    validation: float
    """Figure of the point by the task's ranked metric, unscaled, on the validation classes."""
    points: int
    """Number of points that it is the best of."""


@dataclass(frozen=True)
class Chosen:
    """Best points of all studies of a search, for use in a sweep."""

    task: str
    bank: str
    """Digest of the feature bank."""
    variant: str
    """Variant whose parameters were searched."""
    choices: tuple[Choice, ...]

    @property
    def name(self) -> str:
        """First six hex digits of the content's digest, to distinguish the results of searches."""
        return digest(self.content)[:6]

    @property
    def content(self) -> Mapping[str, Any]:
        """Content of the file; the task defines some of the keys."""
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
        """All tests that these values are for, without duplicates, in order."""
        return tuple(dict.fromkeys(test for choice in self.choices for test in choice.tests))

    def choice(self, cell: Cell) -> Choice:
        """Choice for one cell.

        Raises:
            SweepError: no values were searched for the cell's test.
        """
        task: Searchable = load("task", self.task)
        test, apart = task.tested(cell), task.place(cell).get(task.APART)
        for choice in self.choices:
            if test in choice.tests and choice.apart in (None, apart):
                return choice
        where = " ".join(task.study_name((test,), apart))
        raise SweepError(f"no values were searched for {where}; leave it out, or search it")


def write_chosen(file: Path, chosen: Chosen) -> None:
    """Write a file for ``read_chosen``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"format": _FORMAT, **chosen.content}
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_chosen(file: Path, bank: str, task: str) -> Chosen:
    """Read the values that a search chose.

    Args:
        file: file written by ``write_chosen``.
        bank: digest of the bank on which the values will be used.
        task: name of the task with which the values will be used.

    Raises:
        SweepError: the file is not such a file, or of another bank or task; or the task has nothing to search.
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
    """Keys of a choice in the file for its tests, apart and validation."""
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
