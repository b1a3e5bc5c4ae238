"""Clips of YouTube videos: under whatever names downloaders give them, and without those that can no longer be had."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mgcl.audio.formats import is_audio
from mgcl.data.dataset import AudioFile, Dataset, MissingFilesError, complete
from mgcl.errors import DataError

MISSING = "missing.txt"
"""File beside a data set's tables with the ids of clips that could not be had, one per line."""
NAMES = "ID, YID, ID_START (in ms, or in seconds with six digits), ID_START_END or YID_START_END (in seconds)"
"""Names of a clip's file that are found, with any suffix that can be decoded."""


def stored(folder: Path) -> Mapping[str, Path]:
    """Name without suffix -> path, of the audio files in a folder."""
    there = sorted(folder.iterdir()) if folder.is_dir() else ()
    return {path.stem: path for path in there if is_audio(path)}


def path_of(clips: Mapping[str, Path], folder: Path, video: str, start: float, end: float) -> Path:
    """Path of a clip's file; if there is none, the path that it could have.

    Args:
        clips: ``stored(folder)``.
        folder: folder of the clips.
        video: id of the video.
        start: start of the clip within the video, in seconds.
        end: end of the clip, likewise.
    """
    stretches = (f"_{start:.3f}_{end:.3f}", f"_{start:g}_{end:g}", f"_{start * 1000:.0f}", f"_{start:06.0f}", "")
    names = [f"{prefix}{video}{stretch}" for stretch in stretches for prefix in ("", "Y")]
    return next((clips[name] for name in names if name in clips), folder / f"{video}.wav")


def without_missing(dataset: Dataset, root: Path, *, table: str) -> Dataset:
    """Return the data set without the clips that ``MISSING`` names; the revision counts them.

    Args:
        dataset: all listed clips.
        root: folder of the data set.
        table: name of the table that lists them, for the message.

    Raises:
        DataError: ``MISSING`` names a clip that is not listed, or one that is there.
        MissingFilesError: the file of another clip is missing; the message says how to leave it out.
    """
    left_out = _left_out(root, dataset.files)
    kept = tuple(file for file in dataset.files if file.clip_id not in left_out)
    try:
        complete(kept, table=table)
    except MissingFilesError as error:
        raise MissingFilesError(
            f"{str(error).partition(';')[0]}; fetch it, under one of the names {NAMES}, or leave out what cannot be "
            f"had: `mgcl data check {dataset.name} --root {root} --leave-out-missing` lists it in {root / MISSING}",
            error.listed,
        ) from None
    if not kept:
        raise DataError(f"{root / MISSING}: leaves out all {len(dataset.files)} clips; remove the lines of some")
    counted = f"{dataset.revision}, {len(kept)} of {len(dataset.files)} clips" if left_out else dataset.revision
    return replace(dataset, revision=counted, files=kept)


def leave_out(root: Path, files: Iterable[AudioFile]) -> int:
    """Add the clips whose files are missing to ``MISSING``, and return their number."""
    missing = [file.clip_id for file in files if not file.path.is_file()]
    if missing:
        with (root / MISSING).open("a", encoding="utf-8") as listed:
            listed.writelines(f"{clip}\n" for clip in missing)
    return len(missing)


def _left_out(root: Path, files: Iterable[AudioFile]) -> frozenset[str]:
    file = root / MISSING
    if not file.is_file():
        return frozenset()
    by_id = {each.clip_id: each.path for each in files}
    named = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    for clip in named:
        if clip not in by_id or by_id[clip].is_file():
            reason = "is there" if clip in by_id else "is no clip of the data set"
            raise DataError(f"{file}: {clip} {reason}; remove its line")
    return frozenset(named)
