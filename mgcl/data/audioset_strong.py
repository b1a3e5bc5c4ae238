"""AudioSet's strongly labelled evaluation segments (Hershey et al. 2021): up to 16,996 of ten seconds, with events."""

from pathlib import Path

from mgcl.data._annotations import classes_of, filled, listed_once, read_events
from mgcl.data._youtube import MISSING, path_of, stored, without_missing
from mgcl.data.dataset import AudioFile, Dataset, Window, read_table
from mgcl.errors import DataError

LICENCE = "CC BY 4.0 (the labels; the videos are their owners'); research.google.com/audioset/download_strong.html"
LEAVES_OUT = MISSING
_LAYOUT = (
    "put audioset_eval_strong.tsv and mid_to_display_name.tsv of research.google.com/audioset/download_strong.html "
    "there, and the sound of each segment into audio/ beside them, as ID_START.wav (START in ms, as the table has it)"
)
_COLUMNS = ("segment_id", "start_time_seconds", "end_time_seconds", "label")
_SECONDS = 10.0


def read(root: Path) -> Dataset:
    """List the evaluation segments with their events, under MGA-CLAP's protocol: shorter segments are repeated.

    Raises:
        DataError: a table is missing or wrong.
        MissingFilesError: a segment is missing.
    """
    file, folder, named = root / "audioset_eval_strong.tsv", root / "audio", root / "mid_to_display_name.tsv"
    table = read_table(named, ("mid", "name"), missing=_LAYOUT, headless="\t")
    names = dict(zip(listed_once(named, table["mid"]), filled(named, table["name"]), strict=True))
    clips, files = stored(folder), []
    for segment, events in read_events(file, _COLUMNS, missing=_LAYOUT, names=names).items():
        video, _, start = segment.rpartition("_")
        if not (video and start.isdecimal()):
            raise DataError(f"{file}: segment {segment!r} is not ID_START (START in ms); put the published file there")
        path = path_of(clips, folder, video, int(start) / 1000, int(start) / 1000 + _SECONDS)
        files.append(AudioFile(segment, path, source=video, split="test", labels=classes_of(events), events=events))
    dataset = Dataset(
        "audioset_strong",
        "May 2021, evaluation",
        "CC BY 4.0",
        tuple(files),
        window=Window(_SECONDS, short="repeat", long="first"),
        prompt="{}",
    )
    return without_missing(dataset, root, table=file.name)
