"""VGGSound's test clips (Chen et al. 2020): some 15,000 of ten seconds from YouTube, 309 classes."""

from pathlib import Path

import pandas as pd

from mgcl.data._annotations import filled
from mgcl.data._youtube import MISSING, path_of, stored, without_missing
from mgcl.data.dataset import AudioFile, Dataset, Window, read_table
from mgcl.errors import DataError

LICENCE = "CC BY 4.0 (the list; the videos are their owners'); robots.ox.ac.uk/~vgg/data/vggsound"
LEAVES_OUT = MISSING
_LAYOUT = (
    "put data/vggsound.csv of github.com/hche11/VGGSound there, and the sound of each clip whose fourth column is test "
    "into audio/ beside it, as ID_START.wav (START in seconds, with six digits)"
)
_SECONDS = 10.0


def read(root: Path) -> Dataset:
    """List the test clips, under MGA-CLAP's zero-shot protocol: the first 10 s, silence after shorter clips.

    Raises:
        DataError: vggsound.csv is missing or wrong.
        MissingFilesError: a test clip is missing.
    """
    file, folder = root / "vggsound.csv", root / "audio"
    table = read_table(file, ("video", "start", "label", "split"), missing=_LAYOUT, headless=",")
    table = table[table["split"] == "test"]
    if table.empty:
        raise DataError(f"{file}: no line ends with test; put the published vggsound.csv there")
    clips = stored(folder)
    rows = zip(filled(file, table["video"]), _starts(file, table["start"]), filled(file, table["label"]), strict=True)
    files: dict[str, AudioFile] = {}
    for line, (video, start, label) in zip(table.index, rows, strict=True):
        clip = f"{video}_{start:06.0f}"
        if clip in files:
            raise DataError(f"{file}, line {line}: {clip} is listed twice; remove one of the lines")
        path = path_of(clips, folder, video, start, start + _SECONDS)
        files[clip] = AudioFile(clip, path, label, source=video, split="test")
    dataset = Dataset(
        "vggsound",
        "github.com/hche11/VGGSound 9bbc749",
        "CC BY 4.0",
        tuple(files.values()),
        window=Window(_SECONDS, short="zeros", long="first"),
        prompt="{} can be heard",
    )
    return without_missing(dataset, root, table=file.name)


def _starts(file: Path, column: pd.Series) -> list[float]:
    for line, start in column.items():
        if not start.isdecimal():
            raise DataError(
                f"{file}, line {line}: start {start!r} is no number of seconds; put the published file there"
            )
    return [float(start) for start in column]
