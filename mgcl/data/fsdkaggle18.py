"""FSDKaggle2018 (Fonseca et al. 2018, Zenodo record 2552860): 11,073 clips of 41 classes, 0.3 to 30 seconds."""

from collections.abc import Sequence
from pathlib import Path

from mgcl.data._annotations import filled, listed_once
from mgcl.data._download import Archive
from mgcl.data.dataset import AudioFile, Dataset, complete, read_table
from mgcl.errors import DataError

LICENCE = (
    "each clip has its own: CC0, CC BY, CC BY-NC or Sampling+ (column 'license' of FSDKaggle2018.meta/*.csv); "
    "Eduardo Fonseca et al., zenodo.org/records/2552860"
)
ARCHIVES = tuple(
    Archive(
        url=f"https://zenodo.org/records/2552860/files/FSDKaggle2018.{part}.zip",
        checksums="https://zenodo.org/api/records/2552860",
        contents=(f"FSDKaggle2018.{part}",),
    )
    for part in ("meta", "doc", "audio_test", "audio_train")
)

_META = "FSDKaggle2018.meta"
_TRAIN_TABLES = ("train_post_competition.csv", "train.csv")
# Zenodo's archive has the first table, of the scored clips alone. Kaggle's archive has the second, padded with 7,800
# clips whose label is None and whose usage is Ignored.
_TEST_TABLES = ("test_post_competition_scoring_clips.csv", "test_post_competition.csv")
_SCORED = ("Public", "Private")
_LAYOUT = (
    "FSDKaggle2018.meta/, .audio_train/ and .audio_test/ lie in one folder, as `mgcl data fetch fsdkaggle18` makes it; "
    "or, as Kaggle has them, its csv files beside audio_train/ and audio_test/"
)


def read(root: Path) -> Dataset:
    """List the training and the scored test clips as one pool; every test label is verified.

    Args:
        root: a folder in Zenodo's layout or in Kaggle's.

    Raises:
        DataError: a csv file is missing or wrong.
        MissingFilesError: a clip that a csv file names is missing.
    """
    files = (*_training_clips(root), *_test_clips(root))
    return Dataset(
        "fsdkaggle18",
        "Zenodo 2552860",
        "a CC licence a clip",
        complete(files, table=f"a csv in {_table(root, _TRAIN_TABLES).parent}"),
    )


def _training_clips(root: Path) -> list[AudioFile]:
    file = _table(root, _TRAIN_TABLES)
    table = read_table(file, ("fname", "label", "manually_verified"), missing=_LAYOUT)
    verified = table["manually_verified"].map({"1": True, "0": False})
    if verified.isna().any():
        raise DataError(
            f"{file}, line {verified.index[verified.isna()][0]}: manually_verified is 0 or 1, got "
            f"{table['manually_verified'][verified.isna()].iloc[0]!r}; fetch the published csv again"
        )
    rows = zip(listed_once(file, table["fname"]), filled(file, table["label"]), verified, strict=True)
    return [_clip(_part(root, "audio_train") / name, label, bool(checked)) for name, label, checked in rows]


def _test_clips(root: Path) -> list[AudioFile]:
    file = _table(root, _TEST_TABLES)
    table = read_table(file, ("fname", "label", "usage"), missing=_LAYOUT)
    scored = table[table["usage"].isin(_SCORED)]
    if scored.empty:
        raise DataError(
            f"{file}: no row has usage {' or '.join(_SCORED)}, as scored clips have; fetch the published csv again"
        )
    rows = zip(listed_once(file, scored["fname"]), filled(file, scored["label"]), strict=True)
    return [_clip(_part(root, "audio_test") / name, label, verified=True) for name, label in rows]


def _table(root: Path, names: Sequence[str]) -> Path:
    """Return the first table that exists, in Zenodo's folder or at the root as in Kaggle's layout.

    If none exists, the first candidate is returned, for the error on the missing file.
    """
    tables = [folder / name for folder in (root / _META, root) for name in names]
    return next((each for each in tables if each.is_file()), tables[0])


def _part(root: Path, name: str) -> Path:
    zenodo, kaggle = root / f"FSDKaggle2018.{name}", root / name
    return kaggle if kaggle.is_dir() and not zenodo.is_dir() else zenodo


def _clip(path: Path, label: str, verified: bool) -> AudioFile:
    return AudioFile(path.stem, path, label, source=path.stem, verified=verified)
