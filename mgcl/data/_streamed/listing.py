"""Listings of streamed data sets: sequences of Arrow record batches with the columns of ``LISTING``.

A million clips are as many rows, of which a few thousand are in memory at once.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgcl.data._splits import published_subsets
from mgcl.data.dataset import Dataset
from mgcl.data.folder import clip_ids
from mgcl.errors import DataError
from mgcl.records import digest

LISTING = pa.schema(
    {
        "clip_id": pa.string(),
        "path": pa.string(),
        "member": pa.string(),
        "begin": pa.int64(),
        "size": pa.int64(),
        "group": pa.int32(),
        "row": pa.int32(),
        "start": pa.float64(),
        "seconds": pa.float64(),
        "label": pa.string(),
        "labels": pa.list_(pa.string()),
        "caption": pa.string(),
        "source": pa.string(),
        "fold": pa.int8(),
    }
)
"""Columns of a listing; ``StreamedClip`` explains those that say where a sound is."""

STATED = ("label", "labels", "caption")
"""Columns of which a clip has at least one, and which every clip has if one clip has them."""


@dataclass(frozen=True)
class StreamedClip:
    """Where the sound of a row of a listing is."""

    clip_id: str
    path: str
    """Absolute path of the audio file or of what holds it; or an address, http or https."""
    member: str | None = None
    """Name of the audio file within ``path``; None: ``path`` is the audio file."""
    begin: int | None = None
    """Offset of the audio file within a tar archive, in bytes."""
    size: int | None = None
    """Size of the audio file within a tar archive, in bytes."""
    group: int | None = None
    """Row group within a parquet file."""
    row: int | None = None
    """Row within the row group."""
    start: float | None = None
    """Start of the clip within its audio file, in seconds; None: the clip is the whole file."""
    seconds: float | None = None
    """Length of the clip, in seconds; None: it is not stated."""
    channels: str = "average"
    """How several channels are made into one: one of ``mgcl.audio.CHANNELS``."""

    @property
    def end(self) -> float | None:
        """End of the clip within its audio file, in seconds; None: the file's end."""
        return None if self.start is None or self.seconds is None else self.start + self.seconds

    @property
    def called(self) -> str:
        """Name of the audio file, for messages."""
        return self.path if self.member is None else f"{self.path}::{self.member}"


@dataclass(frozen=True)
class Streamed:
    """A data set that is listed as a stream.

    Attributes:
        about: name, revision and licence; it has no files.
        stamp: what the listing depends on, as JSON takes it.
        batches: function that lists the clips: record batches of ``LISTING``. It raises DataError for a wrong row or
            file, with its name.
        rows: words for messages on a clip, and the number of the first one: "/data/list.csv, line" and 2; empty: clips
            are not rows of one file.
    """

    about: Dataset
    stamp: Mapping[str, Any]
    batches: Callable[[], Iterator[pa.RecordBatch]]
    rows: tuple[str, int] = ("", 0)


def of_files(files: Sequence[Path], listed: Callable[[Path, str], Iterator[pa.RecordBatch]]) -> Streamed:
    """A data set of files that hold the clips; it is called as the folder that holds all of them.

    Args:
        files: at least one absolute path.
        listed: function that lists the clips of a file. It gets the file, and the start of its clips' ids: the path of
            the file in that folder.
    """
    folder = Path(os.path.commonpath([file.parent for file in files]))
    called = clip_ids(file.relative_to(folder) for file in files)
    stamps = [file_stamp(file) for file in files]
    content = digest([[name, size] for name, (size, _) in zip(called, stamps, strict=True)])[:16]
    return Streamed(
        _about(folder.name, f"{len(files)} files {content}", folder),
        {str(file): stamp for file, stamp in zip(files, stamps, strict=True)},
        lambda: (batch for file, name in zip(files, called, strict=True) for batch in listed(file, name)),
    )


def of_manifest(
    file: Path, content: str, root: Path, batches: Callable[[], Iterator[pa.RecordBatch]], rows: tuple[str, int]
) -> Streamed:
    """A data set that a manifest lists; it is called as the manifest.

    Args:
        file: the manifest.
        content: SHA-256 of the manifest, in hex.
        root: folder that its paths are relative to.
        batches: as in ``Streamed``.
        rows: as in ``Streamed``.
    """
    about = _about(file.stem, f"manifest {content[:16]}", file)
    return Streamed(about, {"manifest": content, "root": str(root)}, batches, rows)


def file_stamp(file: str | Path) -> list[int]:
    """Size in bytes and time of change in ns, by which a changed file is noticed."""
    about = os.stat(file)  # noqa: PTH116  # of a million paths no objects are made
    return [about.st_size, about.st_mtime_ns]


def _about(name: str, revision: str, place: Path) -> Dataset:
    called = name.lower()
    if published_subsets(called) is not None:
        raise DataError(
            f"{place}: {called!r} is a data set with published folds, which these sounds would be given; rename the "
            "manifest, or the folder of the files"
        )
    return Dataset(called, revision, "not stated", ())
