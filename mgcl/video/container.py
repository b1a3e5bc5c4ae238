"""A video's file: opened, its frames as they come, and what its header states."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgcl.errors import DataError
from mgcl.video.formats import CONTAINERS

if TYPE_CHECKING:
    from av.container import InputContainer

MEND = "fetch it again, write it again with `ffmpeg -i`, or leave it out"
_SAY_THEIR_LENGTH = ("mov", "matroska")
"""Containers whose header holds the length. For other containers FFmpeg estimates it."""
_MISSING = 0.64
"""Seconds by which a header may exceed the decoded length: some writers do not count how long the last frame lasts."""


@contextmanager
def opened(path: Path) -> "Iterator[InputContainer]":
    """Open a video.

    Raises:
        DataError: the file is missing, empty, of another format, or cannot be opened; names it.
    """
    import av

    if path.suffix.lower() not in CONTAINERS:
        raise DataError(f"{path}: is none of {' '.join(CONTAINERS)}; write it again as one, or leave it out")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check its name") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({_reason(error)}); {MEND}") from None
    with file:
        if not file.read(1):
            raise DataError(f"{path}: is empty (0 bytes); {MEND}")
        file.seek(0)
        try:
            container = av.open(file, mode="r", format=CONTAINERS[path.suffix.lower()])
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{path}: cannot be opened as a video ({_reason(error)}); {MEND}") from None
        with container:
            yield container


def frames(container: "InputContainer", path: Path) -> Iterator[Any]:
    """Decode frames of sound and picture as they come.

    Raises:
        DataError: a frame cannot be decoded; names the file, and the time up to which it could be.
    """
    there, streams = 0.0, _streams(container)
    try:
        for packet in container.demux(streams) if streams else ():
            for frame in packet.decode():
                there = max(there, getattr(frame, "time", None) or 0.0)
                yield frame
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be decoded after {there:.2f} s ({_reason(error)}); {MEND}") from None


def origin(container: "InputContainer") -> float:
    """Where the first of the streams begins, in seconds."""
    starts = [float(each.start_time * each.time_base) for each in _streams(container) if each.start_time is not None]
    return min(starts, default=0.0)


def refuse_cut(container: "InputContainer", path: Path, sound: float, picture: float) -> None:
    """Refuse a video whose header states more than there is.

    Args:
        container: the opened video.
        path: its file.
        sound: where the decoded sound ends, in seconds.
        picture: where the decoded picture ends, in seconds.

    Raises:
        DataError: the file is cut short.
    """
    if CONTAINERS[path.suffix.lower()] not in _SAY_THEIR_LENGTH:
        return
    promised = (container.duration or 0) / 1e6
    there = max(sound, picture)
    for stream in _streams(container):
        if stream.duration is not None:
            length, end = float(stream.duration * stream.time_base), sound if stream.type == "audio" else picture
            if length - end > max(_MISSING, promised - length):
                promised, there = length, end
    if promised - there > _MISSING:
        raise DataError(f"{path}: is cut short: {there:.2f} of {promised:.2f} s are there; {MEND}")


def _streams(container: "InputContainer") -> list[Any]:
    """The first stream of sound and the first of moving pictures."""
    from av.stream import Disposition

    moving = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    return [*container.streams.audio[:1], *moving[:1]]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
