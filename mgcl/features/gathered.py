"""Rows of vectors that lie in several files, read when they are asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.float32 | np.float16]
"""Numbers in the types that a bank's files may hold."""

Index = int | slice | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Arrays of equal rows, one after another, that are indexed as one array and never joined.

    An index along the first axis (a number, a slice, or an array of numbers of any shape) returns a copy of these rows
    alone. ``numpy.asarray`` reads all of them.

    Attributes:
        parts: arrays of shape (rows of the part, ...), views of the files.
        dtype: type of the numbers that are returned.
        need: called with number of a part -> rows of it, before these are read, to fetch vectors that are elsewhere;
            None: all are there.
    """

    parts: tuple[Numbers, ...]
    dtype: np.dtype[np.floating[Any]]
    need: "Callable[[Gathered, Mapping[int, NDArray[np.intp]]], None] | None" = None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole: (rows, ...)."""
        some = next((each for each in self.parts if len(each)), self.parts[0])
        return int(self._starts[-1]), *some.shape[1:]

    @property
    def ndim(self) -> int:
        """Number of dimensions of the whole."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        """First row of every part, then the number of rows; shape (parts + 1)."""
        return np.cumsum([0, *map(len, self.parts)])

    def __getitem__(self, index: Index) -> Any:
        """Read rows.

        Returns:
            An array of shape (*shape of the index, ...).

        Raises:
            IndexError: a row is out of range.
        """
        rows = np.arange(*index.indices(len(self))) if isinstance(index, slice) else np.asarray(index)
        if rows.size and not (rows.dtype.kind in "iu" and -len(self) <= rows.min() <= rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} ({rows.dtype}), where there are {len(self)}")
        flat = rows.reshape(-1).astype(np.intp) % max(len(self), 1)
        found = np.empty((len(flat), *self.shape[1:]), self.dtype)
        order = np.argsort(flat, kind="stable")
        bounds = np.searchsorted(flat[order], self._starts)
        places = {int(part): order[bounds[part] : bounds[part + 1]] for part in np.flatnonzero(np.diff(bounds))}
        own = {part: flat[there] - self._starts[part] for part, there in places.items()}
        if self.need and own:
            self.need(self, own)
        for part, there in places.items():
            found[there] = self.parts[part][own[part]]
        return found.reshape(*rows.shape, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows."""
        if copy is False:
            raise ValueError("rows that lie in several files cannot be joined without a copy")
        return np.asarray(self[:], dtype)


Vectors = Floats | Gathered
"""Vectors of a bank as float32, indexed by rows."""


def float32_rows(values: Numbers | Gathered) -> Vectors:
    """Rows as float32, none of them read yet: a float32 array is returned as it is, others convert what they give."""
    if isinstance(values, Gathered):
        return replace(values, dtype=np.dtype(np.float32))
    return cast(Floats, values) if values.dtype == np.float32 else Gathered((values,), np.dtype(np.float32))
