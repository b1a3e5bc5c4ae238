"""The labels that a person gave, in one csv file to which rows are only appended, and what they amount to."""

import csv
import errno
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from mgcl.errors import DataError, MgclError

YES, NO, SKIP, UNDO = "yes", "no", "skip", "undo"
"""Answers. An undo takes back the last answer that was not taken back yet."""
RANDOM = "random"
"""How a window was chosen whose label is kept for tests."""


@dataclass(frozen=True)
class Label:
    """One row of the file: an answer to whether a class sounds in a window."""

    time: str
    """When it was given: ISO 8601, UTC."""
    recording: str
    """Absolute path of the recording."""
    onset: float
    """Start of the window, in seconds."""
    offset: float
    """End of the window, in seconds."""
    label: str
    """The class that was asked for."""
    answer: str
    """One of yes, no, skip, undo."""
    chosen: str
    """How the window was chosen: margin, nearest, farthest or random."""

    @property
    def key(self) -> tuple[str, float]:
        """What names the window: its recording and its start, to the millisecond."""
        return self.recording, round(self.onset, 3)


COLUMNS = ("time", "recording", "onset", "offset", "class", "answer", "chosen")


@dataclass
class Said:
    """What was said of one window."""

    chosen: str
    """How it was chosen."""
    label: str | None = None
    """The class that sounds in it; None: not known."""
    denied: set[str] = field(default_factory=set)
    """Classes that do not sound in it."""
    skipped: bool = False
    """Whether it was passed over."""


def said(labels: Iterable[Label]) -> dict[tuple[str, float], Said]:
    """What labels amount to, by window, in the order of the windows' first labels.

    A later yes to another class takes the place of an earlier one.
    """
    found: dict[tuple[str, float], Said] = {}
    for each in standing(labels):
        window = found.setdefault(each.key, Said(each.chosen))
        if each.answer == YES:
            window.label = each.label
            window.denied.discard(each.label)
        elif each.answer == NO:
            window.denied.add(each.label)
            window.label = None if window.label == each.label else window.label
        window.skipped = each.answer == SKIP
    return found


def standing(labels: Iterable[Label]) -> list[Label]:
    """The answers that were not taken back."""
    found: list[Label] = []
    for each in labels:
        if each.answer != UNDO:
            found.append(each)
        elif found:
            found.pop()
    return found


class LabelFile:
    """Open file of labels, which appends to it."""

    def __init__(self, stream: BinaryIO, labels: list[Label]) -> None:
        self._stream = stream
        self.labels = labels
        """All rows of the file, in order."""

    def append(self, label: Label) -> None:
        """Append a row; it is on the disk when this returns.

        Raises:
            OSError: the disk is full; the row is not there.
        """
        place = self._stream.tell()
        try:
            line = _line(astuple(label))
            if self._stream.write(line) != len(line):  # a file without a buffer writes what there is room for
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.seek(place)
            self._stream.truncate()
            raise
        self.labels.append(label)


@contextmanager
def label_file(file: Path) -> Iterator[LabelFile]:
    """Open a file of labels, or start one; a last row that a killed process left incomplete is dropped.

    Raises:
        MgclError: another process has it open.
        DataError: the file holds something else; names the line.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=0):
            file.touch()
            with file.open("r+b", buffering=0) as stream:
                content = stream.read()
                end = content.rfind(b"\n") + 1
                if content and not end:
                    raise _no_labels(file)
                labels = list(_read(file, content[:end]))
                stream.seek(end)
                stream.truncate()
                if not end:
                    stream.write(_line(COLUMNS))
                yield LabelFile(stream, labels)
    except Timeout:
        raise MgclError(f"{file}: another process is labelling into it; end it, or name another `labels`") from None


def _read(file: Path, content: bytes) -> Iterator[Label]:
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        head = next(rows, list(COLUMNS))
    except UnicodeDecodeError:
        raise _no_labels(file) from None
    if tuple(head) != COLUMNS:
        raise _no_labels(file)
    for row in rows:
        try:
            time, recording, onset, offset, label, answer, chosen = row
            found = Label(time, recording, float(onset), float(offset), label, answer, chosen)
        except ValueError:
            raise DataError(f"{file}, line {rows.line_num}: not {', '.join(COLUMNS)}; correct or remove it") from None
        if answer not in (YES, NO, SKIP, UNDO):
            raise DataError(f"{file}, line {rows.line_num}: answer {answer!r}; it is one of yes, no, skip, undo")
        yield found


def _no_labels(file: Path) -> DataError:
    return DataError(f"{file}: not a file of labels, whose first line is {','.join(COLUMNS)}; name another `labels`")


def _line(values: Iterable[object]) -> bytes:
    text = io.StringIO()
    cells = [f"{value:.3f}" if isinstance(value, float) else value for value in values]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
