"""AudioCaps' test clips (Kim et al. 2019): up to 975 of ten seconds from YouTube, five captions each."""

from collections import defaultdict
from pathlib import Path

from mgcl.data._annotations import filled, plain
from mgcl.data._youtube import MISSING, path_of, stored, without_missing
from mgcl.data.dataset import AudioFile, Dataset, Window, read_table
from mgcl.errors import DataError

LICENCE = "for academic purposes only (the captions; the videos are their owners'); github.com/cdjkim/audiocaps"
LEAVES_OUT = MISSING
_LAYOUT = (
    "put dataset/test.csv of github.com/cdjkim/audiocaps there, and the sound of each clip into audio/ beside it, as "
    "ID.wav"
)
_SECONDS = 10.0


def read(root: Path) -> Dataset:
    """List the test clips with all their captions, under MGA-CLAP's protocol: lower case, no punctuation.

    Raises:
        DataError: test.csv is missing or wrong, or a video has two starts.
        MissingFilesError: the clip of a caption is missing.
    """
    file, folder = root / "test.csv", root / "audio"
    table = read_table(file, ("youtube_id", "start_time", "caption"), missing=_LAYOUT)
    captions: dict[str, list[str]] = defaultdict(list)
    starts: dict[str, float] = {}
    rows = zip(filled(file, table["youtube_id"]), table["start_time"], filled(file, table["caption"]), strict=True)
    for line, (video, start, caption) in zip(table.index, rows, strict=True):
        if not start.isdecimal() or starts.setdefault(video, float(start)) != float(start):
            raise DataError(
                f"{file}, line {line}: {video} starts at {start!r}, which is no number of seconds, or not the start in "
                "a line above; put the published file there"
            )
        captions[video].append(plain(caption))
    clips = stored(folder)
    files = tuple(
        AudioFile(
            video,
            path_of(clips, folder, video, starts[video], starts[video] + _SECONDS),
            source=video,
            split="test",
            captions=tuple(sentences),
        )
        for video, sentences in captions.items()
    )
    dataset = Dataset(
        "audiocaps",
        "1.0, test",
        "academic use only",
        files,
        window=Window(_SECONDS, short="zeros", long="random"),
    )
    return without_missing(dataset, root, table=file.name)
