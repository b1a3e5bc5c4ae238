"""Conversion of a bank's columns: from an Arrow table to array views, and from arrays to Arrow arrays."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mgcl.errors import BankError
from mgcl.features.gathered import Floats as Floats
from mgcl.features.gathered import Gathered
from mgcl.features.gathered import Numbers as Numbers
from mgcl.features.schema import Column, arrow_type


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows with any number of vectors. ``ragged[row]`` is a view of shape (entries of the row, dimension).

    Attributes:
        values: vectors of all rows, shape (entries, dimension).
        offsets: index in ``values`` at which every row begins, then the end of the last row; shape (rows + 1).
    """

    values: Numbers | Gathered
    offsets: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, rows: Sequence[Numbers]) -> "Ragged":
        """Join rows of shape (entries, dimension). There must be at least one row."""
        return cls(np.concatenate(rows), np.cumsum([0, *map(len, rows)]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Numbers:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        found: Numbers = self.values[self.offsets[row] : self.offsets[row + 1]]
        return found

    @property
    def lengths(self) -> NDArray[np.integer[Any]]:
        """Number of entries per row, shape (rows)."""
        return np.diff(self.offsets)


def as_float32(values: Numbers) -> Floats:
    """Convert numbers of any shape to float32: float32 arrays are returned as they are, float16 arrays are copied."""
    return np.asarray(values, dtype=np.float32)


def row_in_words(values: Numbers | Gathered | Ragged) -> str:
    """Describe the shape of a row, as "16 x 384" or "5 to 10 x 128", and its type unless it is float32."""
    if isinstance(values, Ragged):
        vectors, least, most = values.values, min(values.lengths, default=0), max(values.lengths, default=0)
        sizes = [f"{least} to {most}", f"{vectors.shape[-1]}"]
    else:
        vectors, sizes = values, [f"{size}" for size in values.shape[1:]]
    return " x ".join(sizes) + ("" if vectors.dtype == np.float32 else f" {vectors.dtype}")


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one chunk. A single chunk is not combined, because that would copy it."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def shared_texts(column: pa.ChunkedArray) -> list[Any]:
    """Return a column of texts in which equal texts are one object: labels of a million clips take no memory each."""
    encoded = column.combine_chunks().dictionary_encode()
    texts = [*encoded.dictionary.to_pylist(), None]
    return [texts[place] for place in encoded.indices.fill_null(len(texts) - 1).to_pylist()]


def read_column(table: pa.Table, column: Column) -> Numbers | Ragged:
    """Read a column's vectors as a view of the table, in the table's type.

    Returns:
        An array of shape (rows, dimension) for one vector per row, of shape (rows, entries, dimension) for equally many
        vectors per row, else ``Ragged``.
    """
    array = one_chunk(table[column.stored])
    if column.kind == "vector":
        return _matrix(array)
    offsets, values = array.offsets.to_numpy(zero_copy_only=True), _matrix(array.values)
    if column.kind == "ragged":
        return Ragged(values, offsets)
    entries = offsets[1] - offsets[0] if len(array) else 0
    return values[offsets[0] : offsets[-1]].reshape(len(array), entries, values.shape[-1])


def joined(parts: Sequence[Numbers | Ragged]) -> Gathered | Ragged:
    """Join the same column of several files, without reading it; at least one file."""
    ragged = [each for each in parts if isinstance(each, Ragged)]
    arrays = tuple(each for each in parts if not isinstance(each, Ragged))
    if arrays:
        return Gathered(arrays, arrays[0].dtype)
    offsets = np.concatenate([[0], *(each.lengths for each in ragged)]).cumsum()
    values = tuple(each.values[each.offsets[0] : each.offsets[-1]] for each in ragged)
    return Ragged(Gathered(values, values[0].dtype), offsets)


def to_arrow(values: Any, column: Column, dim: int) -> pa.Array:
    """Convert values to a column of a bank. float16 arrays keep their type, other numbers become float32.

    Args:
        values: one value per row. Texts and numbers are values that Arrow takes; events are lists of ``Event``; vectors
            are an array of shape (rows, dimension) or (rows, entries, dimension), ``Ragged``, or a sequence of arrays.
        column: column to make.
        dim: d, dimension of the joint space.

    Raises:
        BankError: an array has a wrong shape; names the column.
    """
    if column.kind == "events":
        return pa.array([[asdict(event) for event in row] for row in values], arrow_type(column))
    if not column.holds_vectors:
        listed = [list(row) for row in values] if column.kind == "texts" else values
        return pa.array(listed, arrow_type(column))
    if column.kind == "ragged":
        ragged = values if isinstance(values, Ragged) else Ragged.of(values)
        return _lists(ragged.offsets, np.asarray(ragged.values), column, dim)
    array = np.asarray(values)
    if column.kind == "vector":
        return _vectors(array, column, dim)
    if array.ndim != 3:
        raise BankError(f"{column.stored}: shape {array.shape}, where three dimensions (rows, entries, d) are needed")
    rows, entries, last = array.shape
    return _lists(np.arange(rows + 1) * entries, array.reshape(-1, last), column, dim)


def _matrix(array: pa.FixedSizeListArray) -> Numbers:
    """View an Arrow array of vectors as an array of shape (rows, dimension)."""
    flat: Numbers = array.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(-1, array.type.list_size)


def _vectors(array: NDArray[Any], column: Column, dim: int) -> pa.Array:
    if array.ndim != 2 or array.shape[-1] == 0 or (column.joint and array.shape[-1] != dim):
        needed = f"(rows, {dim})" if column.joint else "(rows, dimension)"
        raise BankError(f"{column.stored}: shape {array.shape}, where {needed} is needed")
    number = np.float16 if array.dtype == np.float16 else np.float32
    flat = np.ascontiguousarray(array, dtype=number).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), array.shape[-1])


def _lists(offsets: NDArray[np.integer[Any]], values: NDArray[Any], column: Column, dim: int) -> pa.Array:
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 0).any():
        raise BankError(f"{column.stored}: the offsets must rise from 0 to {len(values)}, one more than there are rows")
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), _vectors(values, column, dim))
