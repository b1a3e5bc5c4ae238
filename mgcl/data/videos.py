"""A user's own videos: a folder with one sub-folder per class, perhaps in folders of splits, or a csv file."""

import warnings
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from mgcl.data._splits import published_subsets
from mgcl.data.dataset import AudioFile, Dataset, complete, read_table
from mgcl.data.folder import clean_label, clip_ids
from mgcl.errors import DataError, MgclWarning
from mgcl.files import as_text
from mgcl.video.formats import CONTAINERS, is_video

PICTURES = True
SPLITS = ("train", "validation", "test")
PARTS = ("base", "novel-validation", "novel-test")
_OPTIONAL = ("split", "part", "fold", "source")
_PARTS_TABLE = "parts.csv"


def read(root: Path) -> Dataset:
    """List the videos of a folder of classes, or of a csv file.

    Folder: every sub-folder is a class, and the videos in it are its clips (``mgcl.video.formats.CONTAINERS``). If the
    sub-folders are called train, validation and test (or some of these), the classes' folders lie in them, and a clip
    belongs to the split of its folder. A file ``parts.csv`` with the columns label and part (base, novel-validation or
    novel-test) divides the classes. Hidden files are ignored; other files raise a warning.

    Csv file: it has the columns path (absolute, or relative to the csv file) and label. Optional columns are split,
    part, fold (an integer, 0..127) and source (the recording from which a clip was cut).

    Args:
        root: the folder, or the csv file. Its name, in lower case, is the name of the data set.

    Raises:
        DataError: there are fewer than two classes, a class has no clips or several parts, a clip is listed twice or
            wrongly, or the name belongs to a data set with published folds.
        MissingFilesError: a file that the csv names is missing.
    """
    root = root.absolute()
    name = (root.stem if root.is_file() else root.name).lower()
    if published_subsets(name) is not None:
        raise DataError(
            f"{root}: {name!r} is a data set with published folds, which these videos would be given; rename it"
        )
    files, parts = _listed(root) if root.is_file() else _found(root)
    classes = sorted({file.label for file in files})
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise DataError(f"{root}: at least 2 classes are needed, each in a folder of its own; found: {found}")
    if parts:
        without = [label for label in classes if label not in parts]
        if without:
            raise DataError(f"{root}: class {without[0]!r} has no part; give each class one of {', '.join(PARTS)}")
    return Dataset(
        name, "", "not stated", files, pictures=True, parts={label: parts[label] for label in classes if parts}
    )


def _found(root: Path) -> tuple[tuple[AudioFile, ...], Mapping[str, str]]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder or csv file")
    folders = _folders(root)
    split = bool(folders) and all(folder.name in SPLITS for folder in folders)
    of_classes: list[tuple[Path, str | None]] = [(folder, None) for folder in folders]
    if split:
        of_classes = [(each, folder.name) for folder in folders for each in _folders(folder)]
    paths: list[tuple[PurePath, str | None]] = []
    others: list[Path] = []
    for folder, its_split in of_classes:
        there = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        videos = [path for path in there if is_video(path)]
        others += [path for path in there if not is_video(path)]
        if not videos:
            raise DataError(f"{folder}: no videos; a class's lie in its folder itself, as {' '.join(CONTAINERS)}")
        paths += [(path.relative_to(root), its_split) for path in videos]
    if others:
        warnings.warn(
            f"{others[0]}: is no video, one of {len(others)} such files that are not read", MgclWarning, stacklevel=3
        )
    files = tuple(
        AudioFile(clip_id, root / path, clean_label(as_text(path.parent.name)), split=its_split)
        for clip_id, (path, its_split) in zip(clip_ids(path for path, _ in paths), paths, strict=True)
    )
    return files, _parts(root / _PARTS_TABLE)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _parts(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    table = read_table(file, ("label", "part"), missing="")
    return _one_part(file, ((line, clean_label(row.label), row.part) for line, row in _rows(table)))


def _listed(file: Path) -> tuple[tuple[AudioFile, ...], Mapping[str, str]]:
    table = read_table(file, ("path", "label"), missing="")
    known = ("path", "label", *_OPTIONAL)
    if unread := [name for name in table.columns if name not in known]:
        warnings.warn(f"{file}: columns that are not read: {', '.join(unread)}", MgclWarning, stacklevel=3)
    rows = list(_rows(table.reindex(columns=list(known), fill_value="")))
    seen: set[Path] = set()
    for line, row in rows:
        fault = _fault(file.parent / row.path.strip(), row, seen)
        if fault:
            raise DataError(f"{file}, line {line}: {fault}")
    files = (
        AudioFile(
            clip_id,
            file.parent / row.path.strip(),
            clean_label(row.label),
            fold=int(row.fold) if row.fold.strip() else None,
            source=row.source or None,
            split=row.split.strip() or None,
        )
        for clip_id, (_, row) in zip(clip_ids(PurePath(row.path.strip()) for _, row in rows), rows, strict=True)
    )
    parts = _one_part(file, ((line, clean_label(row.label), row.part) for line, row in rows if row.part.strip()))
    return complete(sorted(files, key=lambda clip: clip.clip_id), table=file.name), parts


def _rows(table: Any) -> Any:
    return ((row.Index, row) for row in table.itertuples())


def _fault(path: Path, row: Any, seen: set[Path]) -> str | None:
    """Fault of a line of a csv file, in words."""
    if not clean_label(row.label):
        return "no label"
    if not is_video(path):
        return f"{row.path!r} is none of {' '.join(CONTAINERS)}; write it again as one, or leave it out"
    if path in seen:
        return f"{row.path} is listed twice; a clip has one line"
    seen.add(path)
    if row.split.strip() not in ("", *SPLITS):
        return f"split {row.split!r} is none of {', '.join(SPLITS)}"
    if row.fold.strip() and not (row.fold.strip().isdecimal() and int(row.fold) < 128):
        return f"fold {row.fold!r} is no integer from 0 to 127"
    return None


def _one_part(file: Path, rows: Any) -> dict[str, str]:
    parts: dict[str, str] = {}
    for line, label, part in rows:
        if part.strip() not in PARTS:
            raise DataError(f"{file}, line {line}: part {part!r} is none of {', '.join(PARTS)}")
        if parts.setdefault(label, part.strip()) != part.strip():
            raise DataError(f"{file}, line {line}: class {label!r} has two parts, {parts[label]} and {part.strip()}")
    return parts
