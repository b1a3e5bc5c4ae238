"""Checks of published annotations that several data sets share: events, captions, labels, clips listed twice."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mgcl.data.dataset import read_table
from mgcl.errors import DataError
from mgcl.events import Event

DCASE = ("filename", "onset", "offset", "event_label")
"""Columns of a table of events, as in the tasks of DCASE: the clip, two times in seconds, the class."""


def read_events(
    file: Path, columns: Sequence[str] = DCASE, *, missing: str, names: Mapping[str, str] | None = None
) -> dict[str, tuple[Event, ...]]:
    """Read a table with one row per event; a row that names only a clip states that nothing sounds in it.

    Args:
        file: the table.
        columns: its columns of clip, onset, offset and class.
        missing: advice if the file does not exist.
        names: class in the table -> name of the class; None: the table has names.

    Returns:
        Clip -> its events, sorted by onset. Clips are in the order of the table.

    Raises:
        DataError: the table is missing or wrong, or an event has no class, or does not end after it begins.
    """
    found: dict[str, list[Event]] = defaultdict(list)
    table = read_table(file, columns, missing=missing)
    for line, *cells in table[list(columns)].itertuples():
        clip, onset, offset, label = (cell.strip() for cell in cells)
        where = f"{file}, line {line}"
        if not clip:
            raise DataError(f"{where}: no {columns[0]}; name the clip, or remove the line")
        events = found[clip]
        if onset or offset or label:
            events.append(event(onset, offset, _named(label, names, where), where=where))
    return {clip: tuple(sorted(events)) for clip, events in found.items()}


def event(onset: object, offset: object, label: str, *, where: str) -> Event:
    """Return an event after checking it.

    Args:
        onset: start in seconds: a number, or its text.
        offset: end in seconds, likewise.
        label: class.
        where: file and row, for the message.

    Raises:
        DataError: the times are not numbers, the event does not end after it begins, or it has no class.
    """
    try:
        start, end = float(str(onset)), float(str(offset))
    except ValueError:
        raise DataError(
            f"{where}: onset {onset!r} and offset {offset!r} are no numbers of seconds; mend them"
        ) from None
    if not 0 <= start < end < math.inf:
        raise DataError(
            f"{where}: an event from {onset} to {offset} s; it starts at 0 or later and ends after that: mend the "
            "times, or remove the event"
        )
    if not label:
        raise DataError(f"{where}: an event without class; name its class, or remove the event")
    return Event(start, end, label)


def _named(label: str, names: Mapping[str, str] | None, where: str) -> str:
    if names is None or not label:
        return label
    if label not in names:
        raise DataError(f"{where}: {label!r} has no name in the table of classes; add it there, or remove the event")
    return names[label]


def filled(file: Path, column: pd.Series) -> list[str]:
    """Return the cells of a column without surrounding white space, after checking that none is empty.

    Args:
        file: the table, for the message.
        column: strings, indexed by line number.

    Raises:
        DataError: a cell is empty.
    """
    for line, cell in column.items():
        if not cell.strip():
            raise DataError(f"{file}, line {line}: no {column.name}; write it, or remove the line")
    return [cell.strip() for cell in column]


def listed_once(file: Path, column: pd.Series) -> list[str]:
    """Return the clips of a column, like ``filled``, after checking that each is listed once.

    Raises:
        DataError: a cell is empty, or a clip is listed twice.
    """
    clips = filled(file, column)
    first: dict[str, object] = {}
    for line, clip in zip(column.index, clips, strict=True):
        if clip in first:
            raise DataError(
                f"{file}, line {line}: {clip} is listed already in line {first[clip]}; remove one of the lines"
            )
        first[clip] = line
    return clips


def several(text: str, names: Mapping[str, str] | None = None, *, where: str) -> tuple[str, ...]:
    """Split the classes of a clip, which commas separate.

    Args:
        text: classes.
        names: class in the text -> name of the class; None: the text has names.
        where: file and row, for the message.

    Raises:
        DataError: there is no class, or one has no name.
    """
    labels = tuple(dict.fromkeys(label for each in text.split(",") if (label := each.strip())))
    if not labels:
        raise DataError(f"{where}: a clip without class; name its classes, or remove the line")
    return tuple(_named(label, names, where) for label in labels)


_MARKS = str.maketrans(dict.fromkeys('(,.!?;:|*")', " "))


def plain(caption: str) -> str:
    """Caption in lower case and without punctuation, as MGA-CLAP's code gives captions to the model (Li et al. 2024).

    >>> plain('A "Hot" dog  barks, then (softly) whines.')
    'a hot dog barks then softly whines'
    """
    return " ".join(caption.lower().translate(_MARKS).split())


def classes_of(events: Iterable[Event]) -> tuple[str, ...]:
    """Classes of events, sorted and unique."""
    return tuple(sorted({each.label for each in events}))
