"""What labels amount to on an index: which windows are of which class, and which may still be asked about."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mgcl.classifier.detector import BACKGROUND
from mgcl.classifier.index.index import Index, Rows
from mgcl.classifier.labelling.labels import RANDOM, Said

Keys = Mapping[tuple[str, float], int]
"""Recording and start, to the millisecond -> row of the index."""


def keys(index: Index) -> Keys:
    """Rows of all windows that can be found, by what names them in a file of labels."""
    rows = np.flatnonzero(index.usable)
    of, starts = index.recording[rows].tolist(), index.starts[rows].tolist()
    return {
        (index.recordings[number], round(start, 3)): row
        for number, start, row in zip(of, starts, rows.tolist(), strict=True)
    }


@dataclass(frozen=True, eq=False)
class Board:
    """An index with what was said of its windows. Windows of other indices are left out."""

    index: Index
    keys: Keys
    classes: tuple[str, ...]
    """Classes that are asked for: all but the background."""
    said: Mapping[tuple[str, float], Said]
    """What was said, in the order of the windows' first labels."""

    @cached_property
    def by_row(self) -> dict[int, Said]:
        """What was said, by row of the index, in the same order."""
        return {self.keys[key]: each for key, each in self.said.items() if key in self.keys}

    def class_of(self, row: int) -> str | None:
        """Class of a window; the background if every class was denied; None: it is not known."""
        found = self.by_row.get(row)
        if found is None:
            return None
        return found.label or (BACKGROUND if found.denied >= set(self.classes) else None)

    def is_done(self, row: int) -> bool:
        """Whether a window's class is known, or it was skipped."""
        return row in self.by_row and (self.by_row[row].skipped or self.class_of(row) is not None)

    def is_pending(self, row: int) -> bool:
        """Whether some classes were denied, and others remain to be asked for."""
        return row in self.by_row and not self.is_done(row)

    @cached_property
    def done(self) -> int:
        """Number of windows that are done."""
        return sum(map(self.is_done, self.by_row))

    def labelled(self, *, tests: bool = False) -> tuple[Rows, list[str]]:
        """Rows and classes of the windows whose class is known, in the order of their first labels.

        Args:
            tests: those that were drawn at random, on which no model is fitted; else the others.
        """
        found = {
            row: label
            for row, each in self.by_row.items()
            if (each.chosen == RANDOM) == tests and (label := self.class_of(row)) is not None
        }
        return np.array(list(found), np.intp), list(found.values())

    def open_rows(self) -> Rows:
        """Rows of all windows that are not done."""
        allowed = self.index.usable.copy()
        allowed[[row for row in self.by_row if self.is_done(row)]] = False
        return np.flatnonzero(allowed)

    def is_apart(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether each of some windows overlaps none that is done: those would tell nearly the same; shape (rows,)."""
        of, starts, stops = (each[rows] for each in (self.index.recording, self.index.starts, self.index.stops))
        apart = np.ones(len(rows), bool)
        for row in filter(self.is_done, self.by_row):
            start, stop = self.index.starts[row], self.index.stops[row]
            apart &= (of != self.index.recording[row]) | (stops <= start) | (starts >= stop)
        return apart
