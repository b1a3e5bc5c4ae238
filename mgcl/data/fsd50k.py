"""FSD50K's evaluation clips (Fonseca et al. 2022, Zenodo record 4060432): 10,231 of 0.3 to 30 s, 200 classes."""

from pathlib import Path

from mgcl.data._annotations import listed_once, several
from mgcl.data.dataset import AudioFile, Dataset, Window, complete, read_table

LICENCE = "CC BY 4.0 as a whole; each clip has its own: CC0, CC BY, CC BY-NC or Sampling+; zenodo.org/records/4060432"
_LAYOUT = (
    "FSD50K.ground_truth/ and FSD50K.eval_audio/ lie in one folder: download FSD50K.ground_truth.zip, "
    "FSD50K.eval_audio.zip and FSD50K.eval_audio.z01 from zenodo.org/records/4060432 into it, join the parts with "
    "`zip -s 0 FSD50K.eval_audio.zip --out eval.zip`, and unzip eval.zip and FSD50K.ground_truth.zip"
)


def read(root: Path) -> Dataset:
    """List the evaluation clips with all their classes, as published: a class's ancestors are among them.

    Window and prompt of MGA-CLAP's protocol are not published. These are what its script has for other recordings.

    Raises:
        DataError: the table is missing or wrong.
        MissingFilesError: a clip that it names is missing.
    """
    file = root / "FSD50K.ground_truth" / "eval.csv"
    table = read_table(file, ("fname", "labels"), missing=_LAYOUT)
    rows = zip(table.index, listed_once(file, table["fname"]), table["labels"], strict=True)
    files = (
        AudioFile(
            name,
            root / "FSD50K.eval_audio" / f"{name}.wav",
            source=name,
            verified=True,
            split="test",
            labels=several(labels, where=f"{file}, line {line}"),
        )
        for line, name, labels in rows
    )
    return Dataset(
        "fsd50k",
        "Zenodo 4060432, eval",
        "a CC licence a clip",
        complete(files, table="FSD50K.ground_truth/eval.csv", lines=table.index),
        window=Window(10.0, short="zeros", long="first"),
        prompt="{} can be heard",
    )
