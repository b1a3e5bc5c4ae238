"""UrbanSound8K (Salamon et al. 2014, Zenodo record 1203745): 8,732 clips of 10 classes, ten unequal folds, 0 to 4 s."""

from pathlib import Path

from mgcl.data._annotations import filled, listed_once
from mgcl.data._download import Archive
from mgcl.data.dataset import AudioFile, Dataset, Window, complete, read_table
from mgcl.errors import DataError

LICENCE = "CC BY-NC 3.0: no commercial use; J. Salamon, C. Jacoby, J. P. Bello, zenodo.org/records/1203745"
ARCHIVES = (
    Archive(
        url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
        checksums="https://zenodo.org/api/records/1203745",
        top="UrbanSound8K",
        contents=("audio", "metadata"),
    ),
)
_LAYOUT = (
    "metadata/ and audio/fold1 to audio/fold10 lie in one folder, as `mgcl data fetch urbansound8k` makes it from "
    "UrbanSound8K.tar.gz"
)
_FOLDS = [str(fold) for fold in range(1, 11)]


def read(root: Path) -> Dataset:
    """List the clips of all folds, under MGA-CLAP's zero-shot protocol: silence up to 10 s, the bare class's name.

    Raises:
        DataError: the table is missing or wrong.
        MissingFilesError: a clip that it names is missing.
    """
    file = root / "metadata" / "UrbanSound8K.csv"
    table = read_table(file, ("slice_file_name", "fsID", "fold", "class"), missing=_LAYOUT)
    for line, fold in table["fold"].items():
        if fold not in _FOLDS:
            raise DataError(f"{file}, line {line}: fold {fold!r} is none of 1 to 10; fetch the data set again")
    rows = zip(
        listed_once(file, table["slice_file_name"]),
        filled(file, table["class"]),
        table["fold"],
        table["fsID"],
        strict=True,
    )
    files = (
        AudioFile(Path(name).stem, root / "audio" / f"fold{fold}" / name, label, int(fold), source)
        for name, label, fold, source in rows
    )
    return Dataset(
        "urbansound8k",
        "Zenodo 1203745",
        "CC BY-NC 3.0",
        complete(files, table="metadata/UrbanSound8K.csv", lines=table.index),
        window=Window(10.0, short="zeros", long="first"),
        prompt="{}",
        mean_over_folds=True,
    )
