"""Clotho 2.1's evaluation clips (Drossos et al. 2020, Zenodo record 4783391): 1,045 of 15 to 30 s, 5 captions each."""

from pathlib import Path

from mgcl.data._annotations import filled, listed_once, plain
from mgcl.data.dataset import AudioFile, Dataset, Window, complete, read_table

LICENCE = "each clip has a CC licence of its own; captions for non-commercial use; zenodo.org/records/4783391"
_CAPTIONS = tuple(f"caption_{number}" for number in range(1, 6))
_LAYOUT = (
    "download clotho_captions_evaluation.csv and clotho_audio_evaluation.7z from zenodo.org/records/4783391 into the "
    "folder, and run `7z x clotho_audio_evaluation.7z` there, which makes evaluation/"
)


def read(root: Path) -> Dataset:
    """List the evaluation clips with their captions, under MGA-CLAP's protocol: lower case, no punctuation.

    The published protocol takes a random 10 s of each clip. Here the place depends on the clip's name alone.

    Raises:
        DataError: the table is missing or wrong, or a caption is empty.
        MissingFilesError: the clip of a caption is missing.
    """
    file = root / "clotho_captions_evaluation.csv"
    table = read_table(file, ("file_name", *_CAPTIONS), missing=_LAYOUT)
    names = listed_once(file, table["file_name"])
    captions = zip(*(filled(file, table[column]) for column in _CAPTIONS), strict=True)
    files = (
        AudioFile(Path(name).stem, root / "evaluation" / name, split="test", captions=tuple(map(plain, sentences)))
        for name, sentences in zip(names, captions, strict=True)
    )
    return Dataset(
        "clotho",
        "2.1, Zenodo 4783391, evaluation",
        "a CC licence a clip; captions non-commercial",
        complete(files, table=file.name, lines=table.index),
        window=Window(10.0, short="zeros", long="random"),
    )
