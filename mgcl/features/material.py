"""Read and check the files of an import: an npz file of arrays, and csv files. Errors name array, column and row."""

import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mgcl.errors import BankError
from mgcl.events import Event
from mgcl.features.columns import Numbers, Ragged

Cells = dict[str, list[str]]
"""Content of a csv file: name of a column -> its cells."""

OFFSETS = "_offsets"
"""Suffix of the name of an array of offsets: the rows at which the clips begin in the array without the suffix."""


@dataclass(frozen=True)
class ArrayOf:
    """Description of an array of an import.

    Attributes:
        column: column of the bank that the array becomes.
        dimensions: names of its dimensions. A dimension has the same size in all arrays.
        tokens: whether clips have any number of rows; an array of offsets, shape (clips + 1), is then required.
    """

    column: str
    dimensions: tuple[str, ...]
    tokens: bool = False


ARRAYS = {
    "clip_embeddings": ArrayOf("clip", ("clips", "d")),
    "caption_embeddings": ArrayOf("caption", ("clips", "d")),
    "segment_embeddings": ArrayOf("segments", ("clips", "segments", "d")),
    "prompt_embeddings": ArrayOf("prompt", ("classes", "d")),
    "explanation_embeddings": ArrayOf("explanations", ("classes", "explanations", "d")),
    "mel_statistics": ArrayOf("mel_statistics", ("clips", "statistics")),
    "word_vectors": ArrayOf("word_vector", ("classes", "size of words")),
    "audio": ArrayOf("audio", ("audio tokens", "size of audio tokens"), tokens=True),
    "video": ArrayOf("video", ("video tokens", "size of video tokens"), tokens=True),
}
"""Arrays of an import, by name. With offsets, ``caption_embeddings`` are those of several captions per clip."""

NEEDED = ("clip_embeddings", "segment_embeddings", "prompt_embeddings", "explanation_embeddings")
"""Names of the arrays that an import without tokens needs."""


@dataclass(frozen=True)
class Arrays:
    """Arrays that were read for an import.

    Attributes:
        arrays: the arrays that are present, by name; arrays with offsets are ragged.
        sizes: sizes of the dimensions, by name: "clips", "d" ...
    """

    arrays: dict[str, Numbers | Ragged]
    sizes: dict[str, int]


def read_arrays(file: Path) -> Arrays:
    """Read the arrays of an npz file. float16 arrays keep their type, other numbers become float32.

    Raises:
        BankError: the file cannot be read, or an array or row is missing or wrong; names them.
    """
    try:
        # A number that is too large for float32 becomes infinite and is refused later.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive, np.errstate(over="ignore"):
            names = set(archive)
            tokens = any(each.tokens and name in names for name, each in ARRAYS.items())
            missing = [name for name in NEEDED if name not in names and not tokens]
            if missing:
                raise BankError(f"{file}: no array {missing[0]!r}; an import needs {', '.join(NEEDED)}")
            found = {name: _numbers(archive[name]) for name in ARRAYS if name in names}
            offsets = {name: archive[name + OFFSETS] for name in found if name + OFFSETS in names}
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except (ValueError, OSError, EOFError, AttributeError, TypeError, BadZipFile, zlib.error) as error:
        raise BankError(f"{file}: not an npz of number arrays ({error}); write it with numpy.savez") from None
    return _checked(found, offsets, file)


def _numbers(array: NDArray[np.generic]) -> Numbers:
    return np.asarray(array, dtype=np.float16 if array.dtype == np.float16 else np.float32)


def _checked(found: dict[str, Numbers], offsets: dict[str, NDArray[np.generic]], file: Path) -> Arrays:
    arrays: dict[str, Numbers | Ragged] = {}
    sizes: dict[str, tuple[int, str]] = {}

    def agree(name: str, dimension: str, size: int) -> None:
        expected, first = sizes.setdefault(dimension, (size, name))
        if size != expected:
            raise BankError(f"{file}: {name} has {dimension} = {size}, where {first} has {expected}")

    for name, array in found.items():
        ragged = name in offsets
        if ARRAYS[name].tokens and not ragged:
            raise BankError(f"{file}: no array {name + OFFSETS!r}: where each clip's {name} tokens begin, and the end")
        dimensions = ("captions", "d") if ragged and name == "caption_embeddings" else ARRAYS[name].dimensions
        if array.ndim != len(dimensions) or 0 in array.shape:
            raise BankError(f"{file}: {name} has shape {array.shape}, where ({', '.join(dimensions)}) is needed")
        for dimension, size in zip(dimensions, array.shape, strict=True):
            agree(name, dimension, size)
        bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))
        if len(bad):
            raise BankError(f"{file}: {name}, row {bad[0]}: a number is NaN or infinite")
        arrays[name] = array
        if ragged:
            arrays[name] = _ragged(array, offsets[name], f"{file}: {name + OFFSETS}")
            agree(name + OFFSETS, "clips", len(arrays[name]))
    return Arrays(arrays, {dimension: size for dimension, (size, _) in sizes.items()})


def _ragged(values: Numbers, offsets: NDArray[np.generic], what: str) -> Ragged:
    if offsets.ndim != 1 or not np.issubdtype(offsets.dtype, np.integer):
        raise BankError(f"{what} has shape {offsets.shape} of {offsets.dtype}, where (clips + 1) of int is needed")
    begins = offsets.astype(np.int64)
    if len(begins) < 2 or begins[0] != 0 or begins[-1] != len(values) or (np.diff(begins) < 0).any():
        raise BankError(f"{what} must rise from 0 to {len(values)}, the rows that there are")
    return Ragged(values, begins)


def read_csv(file: Path, required: tuple[str, ...], *, rows: int | None = None, arrays: Path = Path()) -> Cells:
    """Read the columns of a csv file as strings.

    Args:
        file: csv file to read.
        required: columns that the file must have.
        rows: number of rows that the file must have, which is that of the arrays; None: any number.
        arrays: file of the arrays, for messages.

    Raises:
        BankError: the file cannot be read, or a column or row is missing or wrong; names them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row with more cells than the header
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        raise BankError(f"{file}: not a csv file ({str(error).strip()}); quote cells that hold a comma") from None
    if rows not in (None, len(frame)):
        raise BankError(f"{file}: {len(frame)} rows, where {arrays} has {rows}; rows follow the arrays'")
    cells = {str(name): frame[name].tolist() for name in frame}
    require(cells, required, file)
    return cells


def require(cells: Cells, names: Iterable[str], file: Path) -> None:
    """Refuse a csv file that lacks a column, or in which a cell of it is empty.

    Args:
        cells: content of the file.
        names: required columns.
        file: path of the file, for messages.

    Raises:
        BankError: a column is missing or a cell is empty; names the file, the column and the row.
    """
    for name in names:
        if name not in cells:
            raise BankError(f"{file}: no column {name!r}; an import needs {', '.join(names)}")
        if "" in cells[name]:
            raise BankError(f"{file}: column {name!r}, row {cells[name].index('')}: the cell is empty")


def numbered(cells: Cells, name: str) -> tuple[str, ...]:
    """Return the names of the columns NAME_1, NAME_2 ... of a csv file. If there are none, NAME_1 is returned."""
    return tuple(column for column in cells if column.startswith(f"{name}_")) or (f"{name}_1",)


def read_folds(values: list[str], file: Path) -> list[int | None]:
    """Convert cells to fold numbers. An empty cell becomes None.

    Raises:
        BankError: a cell is not a number from 0 to 127; names the file and the row.
    """
    for row, value in enumerate(values):
        if value and not (value.isdecimal() and int(value) <= 127):
            raise BankError(f"{file}: column 'fold', row {row}: {value!r} is no fold number (0..127, or empty)")
    return [int(value) if value else None for value in values]


def read_events(file: Path, clip_ids: list[str]) -> list[list[Event]]:
    """Read the events of clips from a csv file of clip_id, onset and offset (in seconds), and label.

    Args:
        file: csv file with one row per event.
        clip_ids: ids of the clips.

    Returns:
        One list of events per clip, in the order of ``clip_ids``.

    Raises:
        BankError: the file cannot be read, or a column or row is missing or wrong; names them.
    """
    rows = read_csv(file, ("clip_id", "onset", "offset", "label"))
    events: dict[str, list[Event]] = {clip_id: [] for clip_id in clip_ids}
    for row, clip_id in enumerate(rows["clip_id"]):
        if clip_id not in events:
            raise BankError(f"{file}: column 'clip_id', row {row}: {clip_id!r} is none of the clips")
        try:
            onset, offset = float(rows["onset"][row]), float(rows["offset"][row])
        except ValueError as error:
            raise BankError(f"{file}: row {row}: {error}; onset and offset are in seconds") from None
        events[clip_id].append(Event(onset, offset, rows["label"][row]))
    return list(events.values())
