"""What every data set is, once it lies in a folder: labelled files, and where they come from.

A data set is one module: ``read(root)`` gives its ``Dataset``. One that can be downloaded also says from where: its
``ARCHIVES`` and ``LICENCE`` are what ``mgcl.data._download`` needs.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from mgcl.errors import DataError

_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class AudioFile:
    """One labelled clip on disk."""

    clip_id: str
    path: Path
    label: str
    fold: int | None = None
    """The data set's own clip fold; informative."""
    source: str | None = None
    """The recording it was cut from; None: not known."""
    verified: bool | None = None
    """Whether a person has checked the label; None: the data set does not say."""
    caption: str | None = None
    """What it sounds like, where the data set says."""
    start: float | None = None
    """Of the stretch of the file that the clip is, in seconds; None: it is all of it."""
    end: float | None = None
    """Of the stretch, in seconds."""
    channels: str = "average"
    """How one channel is made of several; of ``mgcl.audio.CHANNELS``."""


@dataclass(frozen=True)
class Dataset:
    """Labelled clips under one name."""

    name: str
    """Decides the folds, the episodes, and which written explanations are used."""
    revision: str
    licence: str
    files: tuple[AudioFile, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Its labels, sorted."""
        return tuple(sorted({file.label for file in self.files}))

    def taking(self, channels: str) -> "Dataset":
        """With one channel made of several in that way; the revision says so."""
        if channels == "average":
            return self
        revision = f"{self.revision} channels: {channels}".lstrip()
        return replace(self, revision=revision, files=tuple(replace(file, channels=channels) for file in self.files))

    def verified_only(self) -> "Dataset":
        """Without the clips whose label nobody has checked; the revision says so.

        Raises:
            DataError: the data set does not say which labels are checked.
        """
        if any(file.verified is None for file in self.files):
            raise DataError(f"{self.name} does not say which labels are verified; leave `verified_only` out")
        revision = f"{self.revision} verified labels only".lstrip()
        return replace(self, revision=revision, files=tuple(file for file in self.files if file.verified))


class DatasetModule(Protocol):
    """The protocol."""

    def read(self, root: Path) -> Dataset:
        """List what lies in a folder.

        Raises:
            DataError: a table is missing or wrong; names it.
            MissingFilesError: a clip is not there.
        """
        ...


class MissingFilesError(DataError):
    """Clips are listed but not there; ``listed`` keeps the whole list, so that the rest can be looked at."""

    def __init__(self, message: str, listed: tuple[AudioFile, ...]) -> None:
        super().__init__(message)
        self.listed = listed


def complete(files: Iterable[AudioFile], *, table: str) -> tuple[AudioFile, ...]:
    """The files, if every one is there.

    Args:
        files: what is listed.
        table: where, for the error's message.

    Raises:
        MissingFilesError: names the first that is missing.
    """
    listed = tuple(files)
    missing = [file.path for file in listed if not file.path.is_file()]
    if missing:
        raise MissingFilesError(
            f"{missing[0]}: missing, one of {len(missing)} that {table} names; fetch it again, or remove its line",
            listed,
        )
    return listed


def read_table(file: Path, columns: Sequence[str], *, missing: str) -> pd.DataFrame:
    """A csv file, every cell a string; a row's index is the number of its line.

    Args:
        file: text, its first line the names of its columns, which are separated by a comma, a semicolon, a tab or a
            bar. White space around a name or before a cell, and empty cells at the end of a row, count for nothing.
        columns: those that it must have, in any case; the table has them as they are written here.
        missing: what to tell whoever has no such file.

    Raises:
        DataError: it is missing, no csv, lacks a column or has no rows.
    """
    separator, rows = _rows(file, columns, missing)
    wanted = {name.casefold(): name for name in columns}
    header = [wanted.get(name.casefold(), name) for name in _trimmed([name.strip() for name in rows[0][1]])]
    for name in columns:
        if name not in header:
            found = ", ".join(map(repr, header)) or "none"
            raise DataError(f"{file}: no column {name!r}; it must have {', '.join(columns)}, and has {found}")
    for name, times in Counter(header).items():
        if times > 1:
            raise DataError(f"{file}: column {name!r} is there {times} times; leave one of them out")
    for line, cells in rows[1:]:
        if len(_trimmed(cells)) > len(header):
            raise DataError(
                f"{file}: not a csv file (line {line} has {len(cells)} cells, and the first line {len(header)}); "
                f"put what contains {separator!r} into double quotes"
            )
    content = [(cells + [""] * len(header))[: len(header)] for _, cells in rows[1:]]
    if not content:
        raise DataError(f"{file}: no rows")
    return pd.DataFrame(content, columns=header, index=[line for line, _ in rows[1:]], dtype=str)


def _rows(file: Path, columns: Sequence[str], missing: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """The separator, and the rows that are not empty with the numbers of their lines."""
    try:
        content = file.read_bytes()
        text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip()), "")
        separator = _separator(first, columns)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; {missing}") from None
    except (ValueError, csv.Error) as error:
        raise DataError(f"{file}: not a csv file ({str(error).strip()}); write it again as UTF-8 text") from None
    if not rows:
        raise DataError(f"{file}: not a csv file (it is empty); write it again as UTF-8 text")
    return separator, rows


def _separator(header: str, columns: Sequence[str]) -> str:
    """That which splits a header into the columns wanted, or else into the most."""

    def fit(separator: str) -> tuple[int, int]:
        names = [name.strip(' "').casefold() for name in header.split(separator)]
        return sum(name.casefold() in names for name in columns), len(names)

    return max(_SEPARATORS, key=fit)


def _trimmed(cells: Sequence[str]) -> list[str]:
    """Without the empty ones at the end."""
    last = max((place for place, cell in enumerate(cells, start=1) if cell.strip()), default=0)
    return list(cells[:last])
