"""What every data set is, once it lies in a folder: labelled files, and where they come from.

A data set is one module: ``read(root)`` gives its ``Dataset``. One that can be downloaded also says from where: its
``ARCHIVES`` and ``LICENCE`` are what ``mgcl.data.download`` needs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from mgcl.errors import DataError


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

    def verified_only(self) -> "Dataset":
        """Without the clips whose label nobody has checked; the revision says so.

        Raises:
            DataError: the data set does not say which labels are checked.
        """
        if any(file.verified is None for file in self.files):
            raise DataError(f"{self.name} does not say which labels are verified; leave --verified-only out")
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
    """A csv file, every cell a string.

    Args:
        file: UTF-8, its first line the names of its columns.
        columns: those that it must have.
        missing: what to tell whoever has no such file.

    Raises:
        DataError: it is missing, no csv, lacks a column or has no rows.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; {missing}") from None
    except ValueError as error:
        raise DataError(f"{file}: not a csv file ({str(error).strip()}); write it again as UTF-8 text") from None
    for name in columns:
        if name not in table:
            raise DataError(f"{file}: no column {name!r}; it must have {', '.join(columns)}")
    if table.empty:
        raise DataError(f"{file}: no rows")
    return table
