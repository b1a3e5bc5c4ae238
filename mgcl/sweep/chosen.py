"""Values that a search chose, as a sweep takes them: ``mgcl sweep full_grid --params FILE``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mgcl.errors import SweepError
from mgcl.records import Cell, Fold, Value, digest

_FORMAT = 1


@dataclass(frozen=True)
class Choice:
    """The best point of one study."""

    folds: tuple[Fold, ...]
    """That it is for; the study saw none of their classes."""
    shot: int | None
    """That it is for; None: any."""
    values: Mapping[str, Value]
    validation_accuracy: float
    """In 0..1, on episodes of other classes."""
    points: int
    """That it is the best of."""


@dataclass(frozen=True)
class Chosen:
    """What a search hands to a sweep."""

    bank: str
    """Digest of the feature bank."""
    variant: str
    """That was searched."""
    choices: tuple[Choice, ...]

    @property
    def name(self) -> str:
        """Six hex digits that tell it from what other searches chose."""
        return digest(asdict(self))[:6]

    @property
    def folds(self) -> tuple[Fold, ...]:
        """What may be tested with these values, in order."""
        folds = {fold.index: fold for choice in self.choices for fold in choice.folds}
        return tuple(folds[index] for index in sorted(folds))

    def values(self, cell: Cell) -> Mapping[str, Value]:
        """The values for one cell.

        Raises:
            SweepError: none were searched for it.
        """
        fold, shot = (getattr(cell, name, None) for name in ("fold", "shot"))
        for choice in self.choices:
            if fold in choice.folds and choice.shot in (None, shot):
                return choice.values
        where = f"fold {fold.index}, {shot}-shot" if fold else "a task without folds"
        raise SweepError(f"no values were searched for {where}; leave it out, or search it")


def write_chosen(file: Path, chosen: Chosen) -> None:
    """Write the file that ``read_chosen`` reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"format": _FORMAT, **asdict(chosen)}
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_chosen(file: Path, bank: str) -> Chosen:
    """Read what a search chose.

    Args:
        file: that ``write_chosen`` wrote.
        bank: digest of the bank that it is to be used on.

    Raises:
        SweepError: it is not such a file, or of another bank.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise SweepError(f"`params` {file}: format {content['format']}, not {_FORMAT}; search again")
        chosen = Chosen(content["bank"], content["variant"], tuple(map(_choice, content["choices"])))
    except FileNotFoundError:
        raise SweepError(f"`params` {file}: no such file; `mgcl sweep search` writes it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SweepError(f"`params` {file}: not what `mgcl sweep search` writes ({error!r})") from None
    if chosen.bank != bank:
        raise SweepError(
            f"`params` {file}: was searched on bank {chosen.bank[:16]}, not on this one ({bank[:16]}); search again"
        )
    return chosen


def _choice(content: Mapping[str, object]) -> Choice:
    fields = dict(content)
    folds: Sequence[Mapping[str, object]] = fields.pop("folds")  # type: ignore[assignment]
    return Choice(folds=tuple(_fold(**fold) for fold in folds), **fields)  # type: ignore[arg-type]


def _fold(kind: str, index: int, classes: Sequence[str]) -> Fold:
    return Fold(kind, index, tuple(classes))
