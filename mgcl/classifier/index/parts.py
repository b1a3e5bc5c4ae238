"""The parts of an index: Arrow files of some thousand windows each, complete or absent, read by memory map.

A part has one row per window. Its metadata state, for each of its recordings, the size and time of change of the file
that was embedded, how many of the recording's windows are in earlier parts, and whether the recording ends in this one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mgcl.errors import DataError
from mgcl.features.columns import one_chunk, read_column, to_arrow
from mgcl.features.schema import NAMED
from mgcl.files import replacing

_STATES = b"recordings"
_CLIP, _SEGMENTS = NAMED["clip"], NAMED["segments"]


@dataclass(frozen=True)
class State:
    """What is known of a recording whose windows were embedded."""

    size: int
    """Size of the file, in bytes."""
    changed: int
    """Time of the file's last change, in ns."""
    first: int
    """Number of windows of the recording in earlier parts; 0: the recording begins here, and earlier ones are void."""
    complete: bool
    """Whether the recording ends in this part."""


@dataclass(frozen=True, eq=False)
class Part:
    """The windows of one part. Vectors are read-only views of the file."""

    recordings: Sequence[str]
    """Absolute paths of the part's recordings."""
    states: Mapping[str, State]
    """State of each recording, by path."""
    recording: NDArray[np.int32]
    """Index of each window's recording, shape (windows,)."""
    starts: NDArray[np.float64]
    """Starts of the windows in seconds, shape (windows,)."""
    stops: NDArray[np.float64]
    """Ends of the windows in seconds, shape (windows,)."""
    silent: NDArray[np.bool_]
    """Whether each window is silent, shape (windows,)."""
    clip: NDArray[np.float32]
    """Embeddings of the windows, unit vectors, shape (windows, d)."""
    segments: NDArray[np.float16]
    """Embeddings of their segments, unit vectors, shape (windows, segments, d)."""


def part_files(folder: Path) -> list[Path]:
    """The files of an index's parts, the oldest first."""
    return sorted(folder.glob("windows-*.arrow"))


def write_part(folder: Path, number: int, part: Part) -> None:
    """Write a part, complete or not at all.

    Raises:
        DataError: the disk is full, or the folder cannot be written.
    """
    dim = part.clip.shape[1]
    table = pa.table(
        {
            "recording": pa.DictionaryArray.from_arrays(
                pa.array(part.recording), pa.array(part.recordings, pa.string())
            ),
            "start": part.starts,
            "stop": part.stops,
            "silent": part.silent,
            _CLIP.stored: to_arrow(part.clip, _CLIP, dim),
            _SEGMENTS.stored: to_arrow(part.segments, _SEGMENTS, dim),
        }
    )
    states = {path: [each.size, each.changed, each.first, each.complete] for path, each in part.states.items()}
    table = table.replace_schema_metadata({_STATES: json.dumps(states, ensure_ascii=False)})
    try:
        with (
            replacing(folder / f"windows-{number:05}.arrow") as draft,
            draft.open("wb") as stream,
            pa.ipc.new_file(stream, table.schema) as writer,
        ):
            writer.write_table(table)
    except OSError as error:
        raise DataError(
            f"{folder}: {len(part.starts)} windows cannot be written ({error.strerror or error}); mend that, and give "
            "the same command again: it goes on where it was"
        ) from None


def read_part(file: Path) -> Part:
    """Map a part; no vector is read.

    Raises:
        DataError: the file is damaged, or is no part of an index.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        states = json.loads((table.schema.metadata or {})[_STATES])
        recording = one_chunk(table["recording"])
        return Part(
            recording.dictionary.to_pylist(),
            {path: State(*state) for path, state in states.items()},
            recording.indices.to_numpy(),
            one_chunk(table["start"]).to_numpy(),
            one_chunk(table["stop"]).to_numpy(),
            one_chunk(table["silent"]).to_numpy(zero_copy_only=False),
            read_column(table, _CLIP),  # type: ignore[arg-type]
            read_column(table, _SEGMENTS),  # type: ignore[arg-type]
        )
    except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{file}: damaged, or no part of an index ({reason}); remove it, and give `mgcl index` again for its "
            "recordings"
        ) from None
