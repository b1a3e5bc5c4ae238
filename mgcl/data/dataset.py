"""The protocol of data sets: labelled audio files in a folder, with their origin.

A data set is one module, whose ``read(root)`` returns its ``Dataset``. A data set that can be downloaded also has
``ARCHIVES`` and ``LICENCE``, for ``mgcl.data._download``; one of videos has ``PICTURES = True``.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from mgcl.errors import DataError
from mgcl.events import Event
from mgcl.window import Window as Window
from mgcl.window import parse_window

_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class AudioFile:
    """One labelled clip on disk."""

    clip_id: str
    path: Path
    label: str = ""
    """Class of the clip; empty: the clip has ``labels``, ``captions`` or ``events`` instead."""
    fold: int | None = None
    """Number of the clip's fold in the data set; informative."""
    source: str | None = None
    """Recording from which the clip was cut; None: unknown."""
    verified: bool | None = None
    """Whether a person has checked the label; None: unknown."""
    caption: str | None = None
    """Sentence on what the clip sounds like; None: the data set has none."""
    start: float | None = None
    """Start of the clip within its file, in seconds; None: the clip is the whole file."""
    end: float | None = None
    """End of the clip within its file, in seconds; None: the clip is the whole file."""
    channels: str = "average"
    """How several channels are made into one: one of ``mgcl.audio.CHANNELS``."""
    split: str | None = None
    """train, validation or test; None: the data set does not fix it."""
    labels: tuple[str, ...] | None = None
    """Classes of a clip that may have several or none; None: its class is ``label``."""
    captions: tuple[str, ...] = ()
    """Several sentences on what the clip sounds like, for retrieval; empty: the data set has none."""
    events: tuple[Event, ...] | None = None
    """What sounds from when to when, in seconds from the clip's start; None: unknown, empty: nothing sounds."""
    window: Window | None = None
    """Window of the data set's protocol, where a captioner is given the clip; None: the captioner's own."""

    @property
    def classes(self) -> frozenset[str]:
        """Classes of the clip: its label, its labels and those of its events."""
        events = {event.label for event in self.events or ()}
        return frozenset({self.label, *(self.labels or ())} | events) - {""}


@dataclass(frozen=True)
class Dataset:
    """Labelled clips with the name, revision and licence of their data set."""

    name: str
    """Name; it determines the folds, the episodes, and which written explanations are used."""
    revision: str
    licence: str
    files: tuple[AudioFile, ...]
    pictures: bool = False
    """Whether the clips are videos."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Class -> base, novel-validation or novel-test; empty: the data set does not divide its classes."""
    window: Window | None = None
    """Window of the data set's zero-shot protocol; None: the backbone's own, filled by repetition."""
    prompt: str = ""
    """Template of the protocol's prompt, with {} for the class's name; empty: ``mgcl.language.prompts`` has it."""
    mean_over_folds: bool = False
    """Whether the protocol's accuracy is the mean of the folds' accuracies; else it is over all clips."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels of the clips and of their events, sorted and unique."""
        return tuple(sorted({label for file in self.files for label in file.classes}))

    def taking(self, channels: str) -> "Dataset":
        """Return the data set with another way to make several channels into one; the revision records it.

        Args:
            channels: one of ``mgcl.audio.CHANNELS``.
        """
        if channels == "average":
            return self
        revision = f"{self.revision} channels: {channels}".lstrip()
        return replace(self, revision=revision, files=tuple(replace(file, channels=channels) for file in self.files))

    def under(self, window: str | None, prompt: str | None = None) -> "Dataset":
        """Return the data set under another protocol, which its bank records.

        Args:
            window: window, as ``mgcl.window.parse_window`` reads it; None: the data set's own.
            prompt: template of the classes' prompts, with {} for the name; None: the data set's own.

        Raises:
            DataError: the window has another form.
        """
        changed = replace(self, window=parse_window(window)) if window is not None else self
        return replace(changed, prompt=prompt) if prompt is not None else changed

    def verified_only(self) -> "Dataset":
        """Return the data set without clips whose label nobody has checked; the revision records it.

        Raises:
            DataError: the data set does not state which labels are checked.
        """
        if any(file.verified is None for file in self.files):
            raise DataError(f"{self.name} does not say which labels are verified; leave `verified_only` out")
        revision = f"{self.revision} verified labels only".lstrip()
        return replace(self, revision=revision, files=tuple(file for file in self.files if file.verified))


class DatasetModule(Protocol):
    """The protocol of a data set's module."""

    def read(self, root: Path) -> Dataset:
        """List the clips in a folder.

        Raises:
            DataError: a table is missing or wrong; names it.
            MissingFilesError: the file of a clip is missing.
        """
        ...


class MissingFilesError(DataError):
    """Files of listed clips are missing. ``listed`` is the whole list, so that the other clips can be checked."""

    def __init__(self, message: str, listed: tuple[AudioFile, ...]) -> None:
        super().__init__(message)
        self.listed = listed


def complete(files: Iterable[AudioFile], *, table: str, lines: Sequence[object] = ()) -> tuple[AudioFile, ...]:
    """Return the files as a tuple if all of them exist.

    Args:
        files: listed files.
        table: name of the table that lists them, for the message.
        lines: the table's line of each file; empty: its lines are not one per file.

    Raises:
        MissingFilesError: files are missing; names the first, and its line.
    """
    listed = tuple(files)
    missing = [place for place, file in enumerate(listed) if not file.path.is_file()]
    if missing:
        line = f" (line {lines[missing[0]]})" if len(lines) else ""
        raise MissingFilesError(
            f"{listed[missing[0]].path}: missing, one of {len(missing)} that {table} names{line}; fetch it again, or "
            "remove its line",
            listed,
        )
    return listed


def read_table(file: Path, columns: Sequence[str], *, missing: str, headless: str = "") -> pd.DataFrame:
    """Read a csv file into a table of strings, indexed by line number.

    Args:
        file: text file whose first line has the names of the columns. Cells are separated by a comma, a semicolon, a
            tab or a bar. White space around a name or before a cell is ignored, as are empty cells at the end of a row.
        columns: required columns. The file may spell them in any case; the table has them as they are written here.
        missing: advice for the message if the file does not exist.
        headless: separator of a file without names of columns, whose cells are ``columns`` in this order; lines that
            begin with # are comments.

    Raises:
        DataError: the file is missing, is not a csv file, lacks a column, has one twice, or has no rows.
    """
    separator, rows = _rows(file, columns, missing, headless)
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


def _rows(file: Path, columns: Sequence[str], missing: str, headless: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """Return the separator, and the rows that are not empty with their line numbers; the first has the names."""
    try:
        content = file.read_bytes()
        text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip()), "")
        separator = headless or separator_of(first, columns)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; {missing}") from None
    except (ValueError, csv.Error) as error:
        raise DataError(f"{file}: not a csv file ({str(error).strip()}); write it again as UTF-8 text") from None
    if not rows:
        raise DataError(f"{file}: not a csv file (it is empty); write it again as UTF-8 text")
    if headless:
        rows = [(0, list(columns)), *(row for row in rows if not row[1][0].startswith("#"))]
    return separator, rows


def separator_of(header: str, columns: Sequence[str]) -> str:
    """Return the separator that splits a csv file's header into most of these columns; ties go to most columns."""

    def fit(separator: str) -> tuple[int, int]:
        names = [name.strip(' "').casefold() for name in header.split(separator)]
        return sum(name.casefold() in names for name in columns), len(names)

    return max(_SEPARATORS, key=fit)


def _trimmed(cells: Sequence[str]) -> list[str]:
    """Return the cells without empty ones at the end."""
    last = max((place for place, cell in enumerate(cells, start=1) if cell.strip()), default=0)
    return list(cells[:last])
