"""AudioSet's evaluation segments (Gemmeke et al. 2017): up to 20,371 of ten seconds from YouTube, 527 classes."""

from collections.abc import Mapping
from pathlib import Path

from mgcl.data._annotations import filled, listed_once, several
from mgcl.data._youtube import MISSING, path_of, stored, without_missing
from mgcl.data.dataset import AudioFile, Dataset, Window, read_table
from mgcl.errors import DataError

LICENCE = "CC BY 4.0 (the labels; the videos are their owners'); research.google.com/audioset"
LEAVES_OUT = MISSING
_LAYOUT = (
    "put eval_segments.csv and class_labels_indices.csv of research.google.com/audioset/download.html there, and the "
    "sound of each segment into audio/ beside them, as ID.wav"
)


def read(root: Path) -> Dataset:
    """List the evaluation segments with all their classes.

    Window and prompt of MGA-CLAP's protocol are not published. These are what its script has for other recordings.

    Raises:
        DataError: a table is missing or wrong, or a segment has a class without a name.
        MissingFilesError: a segment is missing.
    """
    file, folder = root / "eval_segments.csv", root / "audio"
    table = read_table(file, ("video", "start", "end", "labels"), missing=_LAYOUT, headless=",")
    names, clips, files = _names(root / "class_labels_indices.csv"), stored(folder), []
    for line, video, start, end, labels in zip(
        table.index, listed_once(file, table["video"]), table["start"], table["end"], table["labels"], strict=True
    ):
        where = f"{file}, line {line}"
        try:
            path = path_of(clips, folder, video, float(start), float(end))
        except ValueError:
            raise DataError(f"{where}: {start!r} and {end!r} are no numbers of seconds; mend them") from None
        files.append(AudioFile(video, path, source=video, split="test", labels=several(labels, names, where=where)))
    dataset = Dataset(
        "audioset",
        "2017, evaluation segments",
        "CC BY 4.0",
        tuple(files),
        window=Window(10.0, short="zeros", long="first"),
        prompt="{} can be heard",
    )
    return without_missing(dataset, root, table=file.name)


def _names(file: Path) -> Mapping[str, str]:
    """Machine id of a class -> its name."""
    table = read_table(file, ("mid", "display_name"), missing=_LAYOUT)
    return dict(zip(listed_once(file, table["mid"]), filled(file, table["display_name"]), strict=True))
