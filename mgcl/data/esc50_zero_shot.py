"""ESC-50 under MGA-CLAP's zero-shot protocol (arXiv 2408.07919): 2,000 clips, padded with silence to 10 s."""

from dataclasses import replace
from pathlib import Path

from mgcl.data import esc50
from mgcl.data.dataset import Dataset, Window
from mgcl.errors import DataError


def read(root: Path) -> Dataset:
    """List the clips of all folds. The name differs from ESC-50's, because its published figures are others.

    Raises:
        DataError: the csv is missing or not ESC-50's, or has ESC-10's clips alone.
        MissingFilesError: a file that the csv names is missing.
    """
    dataset = esc50.read(root)
    if dataset.name != "esc50":
        raise DataError(
            f"{root}: has ESC-10's clips alone; fetch all of ESC-50 with `mgcl data fetch esc50 --root DIR`"
        )
    window = Window(10.0, short="zeros", long="first")
    return replace(dataset, name="esc50_zero_shot", window=window, prompt="{} can be heard", mean_over_folds=True)
