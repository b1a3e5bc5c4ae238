"""A user's own sounds: a folder with one sub-folder a class, or a csv file that lists them."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath

from mgcl.data.audio import SUFFIXES
from mgcl.data.dataset import AudioFile, Dataset, complete, read_table
from mgcl.data.splits import published_subsets
from mgcl.errors import DataError


def read(root: Path) -> Dataset:
    """List a folder of classes, or a csv file.

    A folder: every sub-folder is a class, and the wav, flac, ogg and mp3 files in it are its clips; what is hidden,
    or of another kind, is passed over (``mgcl data check`` lists it).
    A csv file: columns path and label, and if need be fold (an integer), caption and source (the recording that a
    clip was cut from; a clip without is taken as unknown); a path is relative to the csv file, or absolute.

    Args:
        root: the folder, or the csv file; its name, in lower case, is the data set's.

    Raises:
        DataError: fewer than two classes, one without clips, a clip that is listed twice or not as it should be, or
            a name that belongs to a data set with published folds.
        MissingFilesError: a file that the csv names is not there.
    """
    root = root.absolute()
    name = (root.stem if root.is_file() else root.name).lower()
    if published_subsets(name) is not None:
        raise DataError(
            f"{root}: {name!r} is a data set with published folds, which these sounds would be given; "
            "rename it, or name that data set instead of 'folder'"
        )
    return Dataset(name, "", "not stated", labelled(root))


def labelled(root: Path, *, least: int = 2) -> tuple[AudioFile, ...]:
    """The clips of a folder of classes, or of a csv file, as ``read`` has them; of at least so many classes.

    Raises:
        DataError: fewer classes, one without clips, or a clip that is listed twice or not as it should be.
        MissingFilesError: a file that the csv names is not there.
    """
    files = _listed(root) if root.is_file() else _found(root)
    classes = sorted({file.label for file in files})
    if len(classes) < least:
        found = ", ".join(classes) or "none"
        raise DataError(f"{root}: at least {least} classes are needed, each in a folder of its own; found: {found}")
    return files


def passed_over(root: Path) -> tuple[Path, ...]:
    """What lies in a folder of classes and is none of its clips, by its name or its place; hidden files aside."""
    there = (path for path in sorted(root.rglob("*")) if path.is_file())
    seen = (path for path in there if not any(part.startswith(".") for part in path.relative_to(root).parts))
    return tuple(path for path in seen if not (_is_audio(path) and path.parent.parent == root))


def _found(root: Path) -> tuple[AudioFile, ...]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder or csv file")
    paths: list[PurePath] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        clips = [path for path in folder.iterdir() if _is_audio(path)]
        if not clips:
            raise DataError(f"{folder}: no clips; a class's lie in its folder itself, as {' '.join(SUFFIXES)}")
        paths += sorted(clip.relative_to(root) for clip in clips)
    return tuple(
        AudioFile(clip_id, root / path, path.parent.name) for clip_id, path in zip(_clip_ids(paths), paths, strict=True)
    )


def _is_audio(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _listed(file: Path) -> tuple[AudioFile, ...]:
    table = read_table(file, ("path", "label"), missing="")
    for column in ("fold", "caption", "source"):
        if column not in table:
            table[column] = ""
    rows = list(table.itertuples(index=False))
    for number, row in enumerate(rows, start=2):
        if fault := _fault(row.path, row.label, row.fold):
            raise DataError(f"{file}, line {number}: {fault}")
    paths = [PurePath(row.path) for row in rows]
    for path, times in Counter(paths).items():
        if times > 1:
            raise DataError(f"{file}: {path} is listed {times} times; a clip has one line")
    clips = (
        AudioFile(
            clip_id,
            file.parent / path,
            row.label,
            fold=int(row.fold) if row.fold else None,
            source=row.source or None,
            caption=row.caption or None,
        )
        for clip_id, path, row in zip(_clip_ids(paths), paths, rows, strict=True)
    )
    return complete(sorted(clips, key=lambda clip: clip.clip_id), table=file.name)


def _fault(path: str, label: str, fold: str) -> str | None:
    """What is wrong with a line, if anything."""
    if not label.strip():
        return "no label"
    if PurePath(path).suffix.lower() not in SUFFIXES:
        return f"{path!r} is none of {' '.join(SUFFIXES)}; convert it to wav, or leave it out"
    if fold and not (fold.isdecimal() and int(fold) < 128):
        return f"fold {fold!r} is no integer from 0 to 127"
    return None


def _clip_ids(paths: Iterable[PurePath]) -> list[str]:
    """The path without its suffix, with it where two would be alike."""
    paths = list(paths)
    times = Counter(path.with_suffix("") for path in paths)
    return [(path.with_suffix("") if times[path.with_suffix("")] == 1 else path).as_posix() for path in paths]
