"""Recordings that libsndfile decodes: the streams of a file one after another, with corrected headers."""

import functools
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import soundfile

from mgcl.audio.channels import Samples
from mgcl.audio.containers import streams
from mgcl.audio.pieces import Piece, Pieces, Stream
from mgcl.audio.recording import MISSING, Recording, cut_short
from mgcl.errors import DataError

_BLOCK = 1 << 16
_UNKNOWN = 1 << 62
"""Number of frames from which on a flac's length is unknown. libsndfile reports it if the header has no length."""


def recording(path: Path, file: BinaryIO) -> Recording:
    """Open a file that libsndfile decodes.

    Args:
        path: path of the file, for messages.
        file: seekable; it must stay open for reading as long as the recording is in use.

    Raises:
        DataError: the file is cut short, or was joined of recordings of different rates or channels; names it.
        soundfile.LibsndfileError: libsndfile does not know the format.
    """
    parts = [_part(file, stream) for stream in streams(file)] or [_Part(_opened(file, None))]
    kinds = {(part.file.samplerate, part.file.channels) for part in parts}
    if len(kinds) > 1:
        words = " and ".join(f"{rate} Hz, {channels} channels" for rate, channels in sorted(kinds))
        raise DataError(f"{path}: joined of recordings of {words}; take them apart, or write it again as wav")
    ((rate, channels),) = kinds
    for part in parts:
        seconds, promised = part.frames / rate, part.promised
        if promised is None or seconds * (promised - 1) > MISSING:
            raise cut_short(path, seconds, promised and seconds * promised)
    return Recording(path, rate, channels, sum(part.frames for part in parts), functools.partial(_blocks, parts), file)


@dataclass(frozen=True, eq=False)
class _Part:
    """One of the recordings that a file was joined of. Most files have one."""

    file: soundfile.SoundFile
    again: Callable[[], soundfile.SoundFile] | None = None
    """Reopens the part at its beginning; None: seeking in it is exact."""
    promised: float | None = 1.0
    """Ratio of promised to present samples; see ``Stream.promised``."""

    @property
    def frames(self) -> int:
        return int(self.file.frames)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is not seekable for soundfile's reads.

    soundfile seeks to its position after every read, which makes clicks in an mp3 and is slow in a flac.
    """

    def seekable(self) -> bool:
        """Whether reads may seek: never."""
        return False


def _opened(file: BinaryIO, stream: Stream | None) -> soundfile.SoundFile:
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    if stream is not None and stream.pieces != ((0, end),):
        return _Forward(Pieces(file, stream.pieces))
    # libsndfile reads from the file descriptor, so that paths need not be valid text. The file is unbuffered, so that
    # Python and libsndfile can both read it.
    return _Forward(file.fileno() if isinstance(file, io.FileIO) else file, closefd=False)


def _part(file: BinaryIO, stream: Stream) -> _Part:
    again = functools.partial(_opened, file, stream) if stream.sequential else None
    part = _Part(_opened(file, stream), again, stream.promised)
    if part.file.format != "FLAC" or _ends(part.file):
        return part
    counted = _count(file, stream)
    if not counted:
        return part
    promised = part.frames / counted if part.frames < _UNKNOWN else 1.0
    return _Part(_opened(file, replace(stream, pieces=_counted(file, stream, counted))), promised=promised)


def _count(file: BinaryIO, stream: Stream) -> int:
    """Count the frames of a flac by decoding it.

    The block in which the stream ends is lost to an error, so the count is repeated with smaller blocks.
    """
    counted = 0
    for size in (_BLOCK, 1 << 11, 1 << 5, 1):
        flac = _opened(file, stream)  # reopened, since a decoder cannot be used after an error
        for _ in range(0, counted, _BLOCK):
            flac.read(min(_BLOCK, counted - flac.tell()), dtype="float32")
        with suppress(soundfile.LibsndfileError):
            while there := len(flac.read(size, dtype="float32")):
                counted += there
    return counted


def _ends(flac: soundfile.SoundFile) -> bool:
    """Whether the last frame can be read where the header places it. If not, the length is unknown or the file cut."""
    try:
        flac.seek(max(0, flac.frames - 1))
        there = flac.frames == 0 or len(flac.read(1)) == 1
        flac.seek(0)
    except soundfile.LibsndfileError:
        return False
    return there


def _counted(file: BinaryIO, stream: Stream, frames: int) -> tuple[Piece, ...]:
    """A flac with its number of frames written into the header.

    The number has 36 bits, the last of the 8 bytes from byte 18 on (RFC 9639, section 8.2).
    """
    ((begin, end),) = stream.pieces
    file.seek(begin)
    head = file.read(26)
    kept = int.from_bytes(head[18:26]) >> 36 << 36
    return head[:18] + (kept | frames).to_bytes(8), (begin + 26, end)


def _blocks(parts: Sequence[_Part], first: int) -> Iterator[Samples]:
    for part in parts:
        if first >= part.frames:
            first -= part.frames
            continue
        file, skipped = part.file, 0
        if part.again is not None:
            file, skipped = part.again(), first
        else:
            file.seek(first)
        for block in _to_the_end(file):
            yield block[skipped:]
            skipped = max(0, skipped - len(block))
        first = 0


def _to_the_end(file: soundfile.SoundFile) -> Iterator[Samples]:
    """Blocks of shape (samples, channels) up to the end.

    Unlike ``file.blocks``, it does not repeat old samples if the file ends early.
    """
    while len(block := file.read(max(1, _BLOCK // file.channels), dtype="float32", always_2d=True)):
        yield block
