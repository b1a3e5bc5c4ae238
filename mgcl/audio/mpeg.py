"""MPEG audio (mp1, mp2, mp3), read frame by frame, since its headers hold no length (ISO 11172-3, 13818-3).

A first frame of type Xing or Info may hold the number of frames. It is often missing, and it is stale in joined files.
This module counts the frames and puts a correct Xing frame before them. Tags and other bytes between frames are left
out.
"""

import functools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from mgcl.audio.pieces import Piece, Stream, read_at

_KILOBITS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(Version, layer) -> kilobits per second, indexed by four bits of the header."""
_SEARCHED = 1 << 16
"""Number of bytes in which the next frame is searched."""
_LEAST = 192
"""Least size in bytes of a frame that can hold a Xing count."""


@dataclass(frozen=True)
class _Header:
    """The header of a frame."""

    version: int
    """Version of MPEG, 1 or 2; 2 stands for 2.5 too."""
    layer: int
    rate: int
    """Sample rate in Hz."""
    mono: bool
    size: int
    """Size of the frame in bytes."""

    @property
    def kind(self) -> tuple[int, int, int, bool]:
        """The properties that all frames of a stream share."""
        return self.version, self.layer, self.rate, self.mono

    @property
    def count_at(self) -> int:
        """Offset of the letters in a Xing frame: behind the header and the side information of the channels."""
        sizes = (17, 32) if self.version == 1 else (9, 17)
        return 4 + sizes[not self.mono]


def mpeg_streams(file: BinaryIO, start: int, end: int) -> Iterator[Stream]:
    """The frames between two offsets of a file, as streams of one kind each; none if there are no frames.

    Args:
        file: seekable, open for reading.
        start: offset of the first byte.
        end: offset after the last byte.
    """
    found = _Found()
    place = start
    while (place := _next_frame(file, place, end, found.kind)) < end:
        header = _header(read_at(file, place, 4))
        if header is None or place + header.size > end:
            break
        if found.kind not in (None, header.kind):
            yield from found.stream(file)
            found = _Found()
        found.kind = header.kind
        if (count := _count(read_at(file, place, min(header.size, _LEAST)), header)) is not None:
            found.tags.append(read_at(file, place, header.size))
            found.promised += count
        else:
            found.add(place, place + header.size)
        place += header.size
    yield from found.stream(file)


@dataclass
class _Found:
    """The part of a stream that was found so far."""

    kind: tuple[int, int, int, bool] | None = None
    frames: int = 0
    promised: int = 0
    tags: list[bytes] = field(default_factory=list)
    """Xing, Info or VBRI frames, which hold a count instead of sound."""
    runs: list[tuple[int, int]] = field(default_factory=list)
    """Start and end offsets of runs of adjacent frames."""

    def add(self, begin: int, end: int) -> None:
        """Count one more frame of sound, between these offsets."""
        self.frames += 1
        if self.runs and self.runs[-1][1] == begin:
            begin = self.runs.pop()[0]
        self.runs.append((begin, end))

    def stream(self, file: BinaryIO) -> Iterator[Stream]:
        """Yield the stream if it has frames with sound."""
        if self.runs:
            whole = self.promised <= self.frames + 1  # some writers count the Xing frame too
            pieces: tuple[Piece, ...] = (*_counted(file, self.runs, self.tags, self.frames), *self.runs)
            yield Stream(pieces, 1.0 if whole else self.promised / self.frames, sequential=True)


@functools.lru_cache(maxsize=1024)  # a file has few distinct headers
def _header(content: bytes) -> _Header | None:
    bits = int.from_bytes(content[:4])
    version, layer = (bits >> 19) & 3, 4 - ((bits >> 17) & 3)
    kilobits, rate = (bits >> 12) & 15, (bits >> 10) & 3
    if len(content) < 4 or bits >> 21 != 0x7FF or version == 1 or layer == 4 or kilobits in (0, 15) or rate == 3:
        return None
    number = 1 if version == 3 else 2
    hertz = (44100, 48000, 32000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits_a_second, padding = 1000 * _KILOBITS[number, layer][kilobits], (bits >> 9) & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and number == 2 else 1152
    slot = 4 if layer == 1 else 1
    size = (samples // 8 * bits_a_second // hertz // slot + padding) * slot
    return _Header(number, layer, hertz, (bits >> 6) & 3 == 3, size)


def _next_frame(file: BinaryIO, place: int, end: int, kind: tuple[int, int, int, bool] | None) -> int:
    """Offset of the next frame, at this place or behind tags and other bytes; ``end`` if none is near."""
    limit = None
    while place < end:
        content = read_at(file, place, 10)
        header = _header(content[:4])
        if header and (header.kind == kind if limit is None and kind else _goes_on(file, place, end, header)):
            return place
        if content[:3] == b"ID3" and len(content) == 10:
            size = content[6] << 21 | content[7] << 14 | content[8] << 7 | content[9]
            place += 10 + size + 10 * bool(content[5] & 0x10)
            continue
        limit = place + _SEARCHED if limit is None else limit
        if place >= limit:
            return end
        found = read_at(file, place + 1, _SEARCHED)
        steps = [step for step in (found.find(b"\xff"), found.find(b"ID3")) if step >= 0]
        if not steps:
            return end
        place += 1 + min(steps)
    return end


def _goes_on(file: BinaryIO, place: int, end: int, header: _Header) -> bool:
    """Whether a frame is followed by another of its kind or by the end. A header alone may be four bytes by chance."""
    following = place + header.size
    other = _header(read_at(file, following, 4))
    return following == end or (other is not None and other.kind == header.kind)


def _count(content: bytes, header: _Header) -> int | None:
    """Number of frames according to a Xing, Info or VBRI frame, 0 if it has none; None: the frame holds sound."""
    if header.layer != 3:
        return None
    for place in (header.count_at, header.count_at + 2):  # some have a checksum before it
        if content[place : place + 4] in (b"Xing", b"Info"):
            flags, frames = struct.unpack(">II", content[place + 4 : place + 12])
            return int(frames) if flags & 1 else 0
    return int.from_bytes(content[50:54]) if content[36:40] == b"VBRI" else None


def _counted(file: BinaryIO, runs: Sequence[tuple[int, int]], tags: Sequence[bytes], frames: int) -> tuple[bytes, ...]:
    """A Xing frame with the true number of frames, as a tuple of one; empty for layers 1 and 2.

    If the file has exactly one such frame, it is reused, since it also holds the numbers of samples to trim. Layers 1
    and 2 need none: their frames are all of one size.
    """
    size = sum(stop - begin for begin, stop in runs)
    if len(tags) == 1 and (place := max(tags[0].find(b"Xing"), tags[0].find(b"Info"))) > 0:
        tag, flags = tags[0], int.from_bytes(tags[0][place + 4 : place + 8])
        if flags & 3 == 3:
            numbers = struct.pack(">II", frames, len(tag) + size)
            return (tag[: place + 8] + numbers + tag[place + 16 :],)
    first = read_at(file, runs[0][0], 4)
    for row in range(1, 15):  # a frame of the same kind, at the least bit rate with room for a count
        start = bytes([first[0], first[1] | 1, first[2] & 0x0D | row << 4, first[3]])
        header = _header(start)
        if header is not None and header.layer == 3 and header.size >= _LEAST:
            count = struct.pack(">4sIII", b"Xing", 3, frames, header.size + size)
            return ((start + bytes(header.count_at - len(start)) + count).ljust(header.size, b"\0"),)
    return ()
