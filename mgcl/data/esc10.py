"""ESC-10 (Piczak 2015): the ten classes that ESC-50 marks as ESC-10, from a folder in ESC-50's layout."""

from pathlib import Path

from mgcl.data.dataset import Dataset
from mgcl.data.esc50 import audio_files, read_table
from mgcl.errors import DataError


def read(root: Path) -> Dataset:
    """List ESC-50's clips whose column ``esc10`` is true.

    Raises:
        DataError: ``meta/esc50.csv`` is missing or wrong, or marks no clip.
        MissingFilesError: the file of a clip is missing.
    """
    table = read_table(root)
    marked = table[table["esc10"].str.lower() == "true"]
    if marked.empty:
        raise DataError(f"{root / 'meta' / 'esc50.csv'}: no row has esc10 True; fetch ESC-50 again")
    return Dataset("esc10", "", "CC BY 3.0", audio_files(root, marked))
