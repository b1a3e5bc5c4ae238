"""Opening of the clips of streamed data sets: files, members of tar archives, rows of parquet files, addresses."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from mgcl.audio.decoding import opened, opened_bytes, opened_range
from mgcl.audio.recording import Recording
from mgcl.data._parquet import audio_of, suffix_of
from mgcl.data._streamed.addresses import fetched, is_url
from mgcl.data._streamed.listing import StreamedClip
from mgcl.errors import DataError

_GROUPS = 4
"""Row groups of parquet files whose audio is kept in memory: clips are read in order, by a few threads at once."""
_READING = threading.Lock()


@contextmanager
def opened_clip(clip: StreamedClip) -> Iterator[Recording]:
    """Open the audio file of a clip.

    Raises:
        DataError: as ``mgcl.audio.decoding.opened``, or there is no such row or file.
        MgclError: the server of an address does not answer.
    """
    if clip.begin is not None and clip.size is not None:
        with opened_range(Path(clip.path), clip.begin, clip.size, clip.called) as recording:
            yield recording
    elif clip.group is not None and clip.row is not None:
        content, suffix = _row(clip)
        with opened_bytes(content, f"{clip.called}{suffix}") as recording:
            yield recording
    elif is_url(clip.path):
        with opened_bytes(fetched(clip.path), clip.path) as recording:
            yield recording
    else:
        with opened(Path(clip.path)) as recording:
            yield recording


def seconds_of(clip: StreamedClip) -> float:
    """Length of a clip by its file's header, in seconds, to sort clips by.

    It is 0 for a clip whose header cannot be read, or only with the whole file: at an address, or in a parquet file.
    """
    if clip.seconds is not None:
        return clip.seconds
    if clip.group is not None or is_url(clip.path):
        return 0.0
    try:
        with opened_clip(clip) as recording:
            return recording.seconds - (clip.start or 0.0)
    except DataError:
        return 0.0  # reported when it is decoded


def _row(clip: StreamedClip) -> tuple[bytes, str]:
    with _READING:  # else each thread would read the same row group
        audio = _group(clip.path, clip.group)[clip.row]
    content, name = audio["bytes"].as_py(), audio["path"].as_py()
    if not content:
        raise DataError(f"{clip.called}: no audio, only its name {name!r}; leave it out")
    return content, suffix_of(name or "", content, clip.called)


@functools.lru_cache(_GROUPS)
def _group(path: str, group: int) -> pa.Array:
    return audio_of(Path(path), group)
