"""A user's own sounds: a folder with one sub-folder per class, or a csv file that lists them."""

import hashlib
import math
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from mgcl.audio.excerpt import duration
from mgcl.audio.formats import SUFFIXES, advice, is_audio
from mgcl.data._splits import published_subsets
from mgcl.data.dataset import AudioFile, Dataset, complete, read_table
from mgcl.errors import DataError, MgclWarning
from mgcl.files import as_text

_COLUMNS = {
    **{name: name for name in ("path", "label", "fold", "caption", "source", "start", "end")},
    **dict.fromkeys(("onset", "start_time", "begin_time"), "start"),
    **dict.fromkeys(("offset", "end_time"), "end"),
}
"""Name of a column in a csv file -> its meaning."""
SEPARATOR = ";"
"""Between the labels of a clip that has several."""
_LATE = 0.01
"""Seconds by which a clip may end after its file, because times in a csv file are rounded."""
_NOT_READ = {"probability"}
"""Columns that `mgcl detect` writes and that say nothing about a clip."""


def read(root: Path) -> Dataset:
    """List the clips of a folder of classes, or of a csv file.

    Folder: every sub-folder is a class, and the audio files in it are its clips (``mgcl.audio.formats.SUFFIXES``).
    Hidden files and files of other kinds are ignored (``passed_over``, ``hidden``).

    Csv file: it has the columns path (absolute, or relative to the csv file) and label. Optional columns are fold (an
    integer, 0..127), caption, and source (the recording from which a clip was cut; empty: unknown). Other columns raise
    a warning.

    Args:
        root: the folder, or the csv file. Its name, in lower case, is the name of the data set.

    Raises:
        DataError: there are fewer than two classes, a class has no clips, a clip is listed twice or wrongly, a clip is
            a part of its file, or the name belongs to a data set with published folds.
        MissingFilesError: a file that the csv names is missing.
    """
    root = root.absolute()
    name = (root.stem if root.is_file() else root.name).lower()
    if published_subsets(name) is not None:
        raise DataError(
            f"{root}: {name!r} is a data set with published folds, which these sounds would be given; "
            "rename it, or name that data set instead of 'folder'"
        )
    files = labelled(root)
    if any(file.start is not None for file in files):
        raise DataError(
            f"{root}: gives stretches (start, end), which `mgcl fit` alone reads: cut them out of their files"
        )
    return Dataset(name, "", "not stated", files)


def labelled(root: Path, *, least: int = 2, several: bool = False) -> tuple[AudioFile, ...]:
    """Return the clips of a folder of classes, or of a csv file (see ``read``).

    The csv file may also have columns start and end, in seconds: a clip is then this part of its file.

    Args:
        root: the folder, or the csv file.
        least: least number of classes.
        several: whether a clip may have several labels: as the same bytes in the folders of several classes, in
            several lines of the csv file, or in one line, separated by ``SEPARATOR``. Clips then have ``labels``
            instead of a label, and an empty cell of a csv file is a clip without labels.

    Raises:
        DataError: there are fewer classes, a class has no clips, or a clip is listed twice or wrongly.
        MissingFilesError: a file that the csv names is missing.
    """
    files = _listed(root, several=several) if root.is_file() else _found(root)
    if several:
        files = _merged(files)
    classes = sorted({label for file in files for label in file.classes})
    if len(classes) < least:
        found = ", ".join(classes) or "none"
        needed = (
            "a class is needed, its clips in a folder"
            if least == 1
            else f"at least {least} classes are needed, each in a folder"
        )
        raise DataError(f"{root}: {needed} of its own; found: {found}")
    return files


def _merged(files: Sequence[AudioFile]) -> tuple[AudioFile, ...]:
    """Clips with all of their labels, of which one stands for all that are the same sound."""
    found: dict[tuple[str, float | None, float | None], AudioFile] = {}
    for file in files:
        with file.path.open("rb") as stream:
            key = (hashlib.file_digest(stream, "sha256").hexdigest(), file.start, file.end)
        first = found.setdefault(key, replace(file, label="", labels=()))
        own = [clean_label(label) for label in file.label.split(SEPARATOR)]
        labels = dict.fromkeys([*(first.labels or ()), *filter(None, own)])
        found[key] = replace(first, labels=tuple(labels))
    return tuple(found.values())


def passed_over(root: Path) -> tuple[Path, ...]:
    """Return the files in a folder of classes that are not clips, because of their suffix or place.

    Hidden files are not among them.
    """
    there = (path for path in sorted(root.rglob("*")) if path.is_file())
    seen = (path for path in there if not is_hidden(path.relative_to(root)))
    return tuple(path for path in seen if not (is_audio(path) and path.parent.parent == root))


def hidden(root: Path) -> int:
    """Count the audio files in a folder that are hidden, or lie in a hidden folder."""
    sounds = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sum(is_hidden(path.relative_to(root)) for path in sounds)


def is_hidden(path: PurePath) -> bool:
    """Whether the name of a file, or of a folder above it, begins with a dot.

    Args:
        path: the file's path, relative to the folder that is read.
    """
    return any(part.startswith(".") for part in path.parts)


def _found(root: Path) -> tuple[AudioFile, ...]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder or csv file")
    paths: list[PurePath] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        there = sorted(path for path in folder.iterdir() if path.is_file())
        clips = [path for path in there if is_audio(path)]
        if not clips:
            others = [f"; {path.name} {hint}" for path in there if (hint := advice(path))]
            raise DataError(
                f"{folder}: no clips; a class's lie in its folder itself, as {' '.join(SUFFIXES)}{''.join(others[:1])}"
            )
        paths += sorted(clip.relative_to(root) for clip in clips)
    return tuple(
        AudioFile(clip_id, root / path, clean_label(as_text(path.parent.name)))
        for clip_id, path in zip(clip_ids(paths), paths, strict=True)
    )


def _listed(file: Path, *, several: bool) -> tuple[AudioFile, ...]:
    table = read_table(file, ("path", "label"), missing="").rename(
        columns=lambda name: _COLUMNS.get(name.lower(), name)
    )
    for name, times in Counter(table.columns).items():
        if times > 1:
            raise DataError(f"{file}: {times} columns give the {name}; leave one of them out")
    if ("start" in table) != ("end" in table):
        raise DataError(f"{file}: a stretch has a column start and a column end, in seconds; give both, or none")
    if unread := [name for name in table.columns if name not in {*_COLUMNS.values(), *_NOT_READ}]:
        warnings.warn(f"{file}: columns that are not read: {', '.join(unread)}", MgclWarning, stacklevel=3)
    clips = []
    for row in table.reindex(columns=[*dict.fromkeys(_COLUMNS.values())], fill_value="").itertuples():
        try:
            clips.append(_clip(file, row, several=several))
        except ValueError as error:
            raise DataError(f"{file}, line {row.Index}: {error}") from None
    places = [PurePath(clip.clip_id) for clip in clips]
    keys = Counter((clip.clip_id, clip.start, clip.end, clip.label if several else "") for clip in clips)
    for (path, start, _, label), times in keys.items():
        if times > 1:
            stretch = "" if start is None else ", or a stretch of it,"
            of_label = f" with the label {label!r}" if several else ""
            raise DataError(f"{file}: {path} is listed {times} times{of_label}; a clip{stretch} has one line{of_label}")
    named = [
        replace(clip, clip_id=clip_id if clip.start is None else f"{clip_id} {clip.start:g}-{clip.end:g} s")
        for clip_id, clip in zip(clip_ids(places), clips, strict=True)
    ]
    listed = complete(sorted(named, key=lambda clip: clip.clip_id), table=file.name)
    check_ends(file, dict(zip(table.index, clips, strict=True)))
    return listed


def _clip(file: Path, row: Any, *, several: bool) -> AudioFile:
    """Parse a line of a csv file into a clip.

    Raises:
        ValueError: the line is wrong; states why.
    """
    label = clean_label(row.label)
    if not label and not several:
        raise ValueError("no label")
    path = PurePath(row.path)
    if not (file.parent / path).exists():
        path = PurePath(row.path.strip().replace("\\", "/"))  # a path as Windows writes it
    if path.suffix.lower() not in SUFFIXES:
        hint = advice(file.parent / path) or "convert it to wav, or leave it out"
        raise ValueError(f"{row.path!r} is none of {' '.join(SUFFIXES)}; {hint}")
    fold = row.fold.strip()
    if fold and not (fold.isdecimal() and int(fold) < 128):
        raise ValueError(f"fold {fold!r} is no integer from 0 to 127")
    start, end = _stretch(row.start, row.end)
    return AudioFile(
        str(path),
        file.parent / path,
        label,
        fold=int(fold) if fold else None,
        source=row.source or None,
        caption=row.caption or None,
        start=start,
        end=end,
    )


def _stretch(start: str, end: str) -> tuple[float, float] | tuple[None, None]:
    if not start.strip() and not end.strip():
        return None, None
    try:
        first, last = (float(each.strip().replace(",", ".")) for each in (start, end))
    except ValueError:
        raise ValueError(f"start {start!r} and end {end!r} are no numbers of seconds") from None
    if not 0 <= first < last < math.inf:
        raise ValueError(
            f"a stretch of {start.strip()} to {end.strip()} s; it starts at 0 or later, and ends after that"
        )
    return first, last


def check_ends(file: Path, clips: Mapping[int, AudioFile]) -> None:
    """Refuse clips that end after their files, whose lengths are read from their headers.

    Args:
        file: the file that lists the clips.
        clips: line -> clip.

    Raises:
        DataError: there is such a clip; names its line.
    """
    seconds = {clip.path: duration(clip.path) for clip in clips.values() if clip.end is not None}
    for line, clip in clips.items():
        if clip.end is not None and clip.end > seconds[clip.path] + _LATE:
            raise DataError(
                f"{file}, line {line}: the stretch ends at {clip.end:g} s, and {clip.path} at {seconds[clip.path]:g} s"
            )


def clean_label(text: str) -> str:
    """Return the label without surrounding white space, and with its accents in one encoding (NFC)."""
    return unicodedata.normalize("NFC", text.strip())


def clip_ids(paths: Iterable[PurePath]) -> list[str]:
    """Return clips' ids: paths without their suffix, or with it where two ids would be equal."""
    paths = list(paths)
    times = Counter(path.with_suffix("") for path in paths)
    return [as_text((path.with_suffix("") if times[path.with_suffix("")] == 1 else path).as_posix()) for path in paths]
