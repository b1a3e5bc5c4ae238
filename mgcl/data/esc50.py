"""ESC-50 and ESC-10 (Piczak 2015): ``meta/esc50.csv`` and ``audio/``, five-second clips."""

from pathlib import Path

import pandas as pd

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError

_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")


def read(root: Path) -> Dataset:
    """List a folder in ESC-50's layout; one that holds ESC-10's clips alone is called "esc10".

    Raises:
        DataError: the csv or a file that it names is missing, or it is not ESC-50's csv.
    """
    table = read_table(root)
    only_esc10 = bool((table["esc10"].str.lower() == "true").all())
    licence = "CC BY 3.0" if only_esc10 else "CC BY-NC 3.0"
    return Dataset("esc10" if only_esc10 else "esc50", "", licence, audio_files(root, table))


def read_table(root: Path) -> pd.DataFrame:
    """``meta/esc50.csv``, every cell a string.

    Raises:
        DataError: it is missing, or lacks a column.
    """
    file = root / "meta" / "esc50.csv"
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; a folder in ESC-50's layout has meta/esc50.csv and audio/") from None
    except ValueError as error:
        raise DataError(f"{file}: not a csv file ({str(error).strip()}); fetch the data set again") from None
    for name in _COLUMNS:
        if name not in table:
            raise DataError(f"{file}: no column {name!r}; ESC-50's has {', '.join(_COLUMNS)}")
    if table.empty:
        raise DataError(f"{file}: no rows")
    return table


def audio_files(root: Path, table: pd.DataFrame) -> tuple[AudioFile, ...]:
    """The clips of a table in ESC-50's layout, in its order.

    Raises:
        DataError: a file is not there.
    """
    rows = zip(*(table[name] for name in ("filename", "category", "fold", "src_file")), strict=True)
    files = tuple(
        AudioFile(Path(name).stem, root / "audio" / name, label, int(fold), source)
        for name, label, fold, source in rows
    )
    missing = [file.path for file in files if not file.path.is_file()]
    if missing:
        raise DataError(f"{missing[0]}: missing, and {len(missing) - 1} more that meta/esc50.csv names")
    return files
