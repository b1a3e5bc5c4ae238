"""Annotated events of recordings as clips, from csv, json, Raven's selection tables and Audacity's label tracks."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath

from mgcl.audio.formats import is_audio
from mgcl.data.dataset import AudioFile, read_table
from mgcl.data.folder import check_ends, clean_label, clip_ids, labelled
from mgcl.errors import DataError

BEGIN, END, OFFSET = "Begin Time (s)", "End Time (s)", "File Offset (s)"
"""Raven's columns of times."""
_LABELS = ("annotation", "species", "common name", "species code", "label", "class", "call type", "type")
"""Columns of a selection table that may hold the class, in the order in which they are looked for."""


@dataclass(frozen=True)
class _Line:
    """One annotated event, with its line in the file."""

    number: int
    recording: str
    """Path or name of the recording as the file gives it; empty: the file is of one recording, by its own name."""
    start: float
    end: float
    label: str


def read(file: Path, recordings: Path | None = None) -> tuple[AudioFile, ...]:
    """Read annotated events as clips: every event is the clip of its class from its onset to its offset.

    Forms, which are told apart by their content:

    - Raven's selection table: tab separated, with the columns Begin Time (s) and End Time (s), or File Offset (s) where
      several recordings follow one another, and a column of classes (Annotation, Species, ...).
    - Audacity's label track: start, end and label, tab separated; lines of frequency ranges are passed over.
    - json as ``mgcl detect`` writes it; else a csv file of path, label, start, end (``mgcl.data.folder``).

    Args:
        file: the annotations.
        recordings: folder in which recordings are looked for by name; None: the folder of ``file``.

    Raises:
        DataError: the file, or a line of it, is wrong, or a recording is missing or has several places; names it.
    """
    text = _text(file)
    if file.suffix.lower() == ".json":
        lines = list(_json(file, text))
    elif BEGIN.lower() in text.partition("\n")[0].lower():
        lines = list(_raven(file))
    elif _is_audacity(text):
        lines = list(_audacity(file, text))
    else:
        return labelled(file, least=1)
    lines = [line for line in lines if line.label]
    if not lines:
        raise DataError(f"{file}: no annotated event; name a file with labels")
    return _clips(file, lines, recordings or file.parent)


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        return content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{file}: no such file; annotations are a csv, json, Raven or Audacity file") from None
    except UnicodeDecodeError:
        raise DataError(f"{file}: not text; export the annotations again") from None


def _json(file: Path, text: str) -> Iterator[_Line]:
    try:
        for number, each in enumerate(json.loads(text), start=1):
            start, end = float(each["start"]), float(each["end"])
            path = str(each["path"])
            yield _checked(file, _Line(number, str(file.parent / path), start, end, clean_label(str(each["label"]))))
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{file}: not a list of objects with path, label, start and end; write it again") from None


def _raven(file: Path) -> Iterator[_Line]:
    table = read_table(file, (BEGIN, END), missing="export the selection table again")
    named = {name.lower(): name for name in table.columns}
    label = next((named[name] for name in _LABELS if name in named), None)
    if label is None:
        raise DataError(f"{file}: no column of classes; name it Annotation (there are {', '.join(table.columns)})")
    seen = set()
    for number, row in zip(table.index, table.to_dict("records"), strict=True):
        start, end = (_seconds(file, number, row[name]) for name in (BEGIN, END))
        if offset := row.get(named.get(OFFSET.lower(), ""), ""):
            start, end = (within := _seconds(file, number, offset)), within + end - start
        path, name = (row.get(named.get(column, ""), "").strip() for column in ("begin path", "begin file"))
        line = _Line(number, path if Path(path).is_file() else name or path, start, end, clean_label(row[label]))
        if (key := (line.recording, start, end, line.label)) not in seen:  # one line per view, spectrogram and waveform
            seen.add(key)
            yield _checked(file, line)


def _is_audacity(text: str) -> bool:
    cells = text.lstrip().partition("\n")[0].split("\t")
    return len(cells) in (2, 3) and all(_number(cell) is not None for cell in cells[:2])


def _audacity(file: Path, text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("\\"):  # the label's range of frequencies
            continue
        cells = line.split("\t")
        if len(cells) not in (2, 3):
            raise DataError(f"{file}, line {number}: {line!r} is not start, end and label; export the labels again")
        start, end = (_seconds(file, number, cell) for cell in cells[:2])
        yield _checked(file, _Line(number, "", start, end, clean_label(cells[2] if len(cells) == 3 else "")))


def _seconds(file: Path, number: int, text: str) -> float:
    if (found := _number(text)) is None:
        raise DataError(f"{file}, line {number}: {text!r} is no number of seconds; correct it")
    return found


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _checked(file: Path, line: _Line) -> _Line:
    if line.label and not 0 <= line.start < line.end < math.inf:
        raise DataError(
            f"{file}, line {line.number}: an event of {line.start:g} to {line.end:g} s; it starts at 0 or later, and "
            "ends after that: correct it, or remove the line"
        )
    return line


def _clips(file: Path, lines: Sequence[_Line], root: Path) -> tuple[AudioFile, ...]:
    find = _finder(file, root)
    paths = {name: find(name) for name in dict.fromkeys(line.recording for line in lines)}
    ids = dict(zip(paths, clip_ids(PurePath(path.name) for path in paths.values()), strict=True))
    clips = {
        line.number: AudioFile(
            f"{ids[line.recording]} {line.start:g}-{line.end:g} s",
            paths[line.recording],
            line.label,
            start=line.start,
            end=line.end,
        )
        for line in lines
    }
    check_ends(file, clips)
    return tuple(clips.values())


def _finder(file: Path, root: Path) -> Callable[[str], Path]:
    """A function from a recording's path or name to the file, which is looked for in ``root`` by its name."""
    there = [path for path in sorted(root.rglob("*")) if is_audio(path) and path.is_file()]

    def find(recording: str) -> Path:
        if recording and Path(recording).is_file():
            return Path(recording)
        if recording:
            name = PureWindowsPath(recording).name  # takes both kinds of slashes
            found = [path for path in there if path.name == name]
        else:
            name = f"{file.name.partition('.')[0]} (or a longer part of {file.name})"
            found = [path for path in there if file.name.startswith(f"{path.stem}.")]
            longest = max((len(path.stem) for path in found), default=0)
            found = [path for path in found if len(path.stem) == longest]
        if len(found) != 1:
            places = f"{len(found)} places have it: {found[0]}, {found[1]}" if found else "it is not there"
            raise DataError(
                f"{file}: its recording {name} is looked for in {root}, and {places}; `recordings` names another folder"
            )
        return found[0]

    return find
