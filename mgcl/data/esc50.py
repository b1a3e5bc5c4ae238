"""ESC-50 and ESC-10 (Piczak 2015): ``meta/esc50.csv`` and ``audio/``, five-second clips."""

from pathlib import Path

import pandas as pd

from mgcl.data import dataset
from mgcl.data._annotations import filled, listed_once
from mgcl.data._download import Archive
from mgcl.data.dataset import AudioFile, Dataset, complete
from mgcl.errors import DataError

LICENCE = "CC BY-NC 3.0: no commercial use (its ESC-10 clips CC BY 3.0); Karol J. Piczak, github.com/karolpiczak/ESC-50"
_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"
# GitHub builds the zip of a commit on request, so the zip has no lasting checksum. The commit's tree has one per file.
ARCHIVES = (
    Archive(
        url=f"https://github.com/karolpiczak/ESC-50/archive/{_COMMIT}.zip",
        checksums=f"https://api.github.com/repos/karolpiczak/ESC-50/git/trees/{_COMMIT}?recursive=1",
        top=f"ESC-50-{_COMMIT}",
        contents=("audio", "meta", "LICENSE"),
    ),
)

_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")


def read(root: Path) -> Dataset:
    """List the clips of a folder in ESC-50's layout. If all are ESC-10's, the data set is named "esc10".

    Raises:
        DataError: the csv is missing, or is not ESC-50's.
        MissingFilesError: a file that the csv names is missing.
    """
    table = read_table(root)
    only_esc10 = bool((table["esc10"].str.lower() == "true").all())
    licence = "CC BY 3.0" if only_esc10 else "CC BY-NC 3.0"
    return Dataset("esc10" if only_esc10 else "esc50", "", licence, audio_files(root, table))


def read_table(root: Path) -> pd.DataFrame:
    """Read ``meta/esc50.csv`` into a table of strings.

    Raises:
        DataError: the file is missing, lacks a column, has a fold that is not an integer, a clip without class, or a
            clip twice.
    """
    file = root / "meta" / "esc50.csv"
    table = dataset.read_table(file, _COLUMNS, missing="a folder in ESC-50's layout has meta/esc50.csv and audio/")
    for line, fold in table["fold"].items():
        if not fold.isdecimal():
            raise DataError(f"{file}, line {line}: fold {fold!r} is no integer; fetch the data set again")
    return table.assign(filename=listed_once(file, table["filename"]), category=filled(file, table["category"]))


def audio_files(root: Path, table: pd.DataFrame) -> tuple[AudioFile, ...]:
    """Return the clips of a table in ESC-50's layout, in the table's order.

    Raises:
        MissingFilesError: the file of a clip is missing.
    """
    rows = zip(*(table[name] for name in ("filename", "category", "fold", "src_file")), strict=True)
    files = (
        AudioFile(Path(name).stem, root / "audio" / name, label, int(fold), source)
        for name, label, fold, source in rows
    )
    return complete(files, table="meta/esc50.csv", lines=table.index)
