"""Containers that consist of chunks with a name and a size each: wav, rf64, aiff, caf and w64."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mgcl.audio.mpeg import mpeg_streams
from mgcl.audio.pieces import Stream, read_at

ENDLESS = 0x7FF00000
"""Bytes, just under 2 GiB. Writers that cannot seek back leave a size of this or more in the header (SoX 0x7ffff000,
others 2**31 - 1, 2**31, 2**32 - 1). Such a size is a placeholder."""
_ENDLESS_64 = 1 << 62
_PADDING = 1 << 16
"""Greatest number of bytes after the samples that count as padding."""
_MPEG_IN_WAV = 0x55
_AFTER_SAMPLES = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"_PMX", b"cue ", b"smpl", b"JUNK")
"""Names of chunks that writers put behind the samples."""


@dataclass(frozen=True)
class _Family:
    """Layout of the chunks in a family of containers."""

    first: int
    """Offset of the first chunk, in bytes from the container's beginning."""
    name: int
    """Length of a chunk's name, in bytes."""
    size: str
    """Format of a chunk's size, for ``struct``."""
    data: bytes
    """Name of the chunk with the samples."""
    even: int = 1
    """Alignment: chunks begin at multiples of this number of bytes."""
    counts_itself: bool = False
    """Whether a chunk's size includes its name and its size field."""
    inner: int = 0
    """Number of bytes before the samples in their chunk."""

    @property
    def head(self) -> int:
        """Length of a chunk's name and size field, in bytes."""
        return self.name + struct.calcsize(self.size)


_FAMILIES = {
    b"RIFF": _Family(12, 4, "<I", b"data", even=2),
    b"RIFX": _Family(12, 4, ">I", b"data", even=2),
    b"RF64": _Family(12, 4, "<I", b"data", even=2),
    b"BW64": _Family(12, 4, "<I", b"data", even=2),
    b"FORM": _Family(12, 4, ">I", b"SSND", even=2, inner=8),
    b"caff": _Family(8, 4, ">q", b"data", inner=4),
    b"riff": _Family(40, 16, "<q", b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a"), even=8, counts_itself=True),
}
_MAGIC_OF_FORM = (b"AIFF", b"AIFC")


@dataclass(frozen=True)
class _Container:
    """One container in a file. A file that was joined of several files holds several containers."""

    file: BinaryIO
    start: int
    """Offset of the container's beginning in the file."""
    end: int
    """Offset of the file's end."""
    family: _Family


@dataclass(frozen=True)
class _Data:
    """The chunk with the samples, as the header describes it."""

    body: int
    """Offset of the samples in the file."""
    size: int
    """Size of the samples in bytes, according to the header."""
    place: int
    """Offset of the size field in the file."""
    form: str
    """Format of the size field, for ``struct``."""
    mpeg: bool
    """Whether the samples are frames of MPEG audio, whose duration does not follow from their size."""


def is_chunked(magic: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is a container of a known family."""
    return magic[:4] in _FAMILIES and (magic[:4] != b"FORM" or magic[8:] in _MAGIC_OF_FORM)


def chunked_streams(file: BinaryIO, start: int, end: int) -> Iterator[Stream]:
    """The streams of a file from ``start`` on: the first container's, and those of containers that were joined to it.

    Args:
        file: seekable, open for reading.
        start: offset of the first container, in bytes.
        end: offset of the file's end, in bytes.
    """
    family = _FAMILIES.get(read_at(file, start, 4))
    if family is None:
        return
    container = _Container(file, start, end, family)
    data = _find_data(container)
    if data is None:
        return
    stop = _end_of_data(container, data.body, data.size)
    frames = mpeg_streams(file, data.body, stop) if data.mpeg else iter(())
    yield next(frames, None) or _mended(container, data, stop)
    for begin in (stop, stop + 1):  # another container, with or without a byte of padding before it
        if read_at(file, begin, 4) in _FAMILIES:
            yield from chunked_streams(file, begin, end)
            return


def promised(size: int, there: int, header: int, *, inner: int = 0, endless: int = ENDLESS) -> float:
    """Ratio of the promised number of bytes to the present number; 1 if the header's size says nothing beyond it.

    Args:
        size: number of bytes according to the header.
        there: number of bytes between the header and the end.
        header: length of the header in bytes; sizes of up to ``there`` plus this count as complete, since some writers
            include the header.
        inner: number of bytes in ``size`` and ``there`` that are no samples.
        endless: sizes of this or more are placeholders.
    """
    if not 0 <= size < endless or size <= there + header:
        return 1.0
    return (size - inner) / max(there - inner, 1)


def _find_data(container: _Container) -> _Data | None:
    file, family = container.file, container.family
    place, long_size, mpeg = container.start + family.first, None, False
    while place + family.head <= container.end:
        name, size = _chunk(container, place)
        body = place + family.head
        if name[:4] == b"ds64":
            long_size = body + 8
        if name == b"fmt ":
            mpeg = read_at(file, body, 2) == struct.pack("<H", _MPEG_IN_WAV)
        if name == family.data:
            if long_size is None or size != 0xFFFFFFFF:
                return _Data(body, size, place + family.name, family.size, mpeg)
            (size,) = struct.unpack("<q", read_at(file, long_size, 8))
            return _Data(body, size, long_size, "<q", mpeg)
        if size < 0 or name.translate(None, b"\0").strip() == b"":
            return None
        place = _padded(body + size, container.start, family)
    return None


def _chunk(container: _Container, place: int) -> tuple[bytes, int]:
    """Name of the chunk at an offset, and size of its content in bytes."""
    family = container.family
    content = read_at(container.file, place, family.head)
    (size,) = struct.unpack(family.size, content[family.name :])
    return content[: family.name], size - family.head * family.counts_itself


def _padded(place: int, start: int, family: _Family) -> int:
    return place + -(place - start) % family.even


def _end_of_data(container: _Container, body: int, size: int) -> int:
    """Offset of the samples' end: the header's, if what follows there fits, else found from the end of the file."""
    end, family = container.end, container.family
    if not 0 <= size <= end - body:
        return _last_samples(container, body)
    stop = body + size
    rest = end - stop
    if rest < family.head:
        return end if size > 0 and rest >= family.even else stop
    if any(_are_chunks(container, place) for place in sorted({_padded(stop, 0, family), stop, stop + 1})):
        return stop
    if rest <= _PADDING:
        tail = read_at(container.file, stop, rest)
        if tail.startswith(b"TAG") or (size and not tail.strip(b"\0")):  # an ID3v1 tag; padding of a disk sector
            return stop
    return _last_samples(container, body)


def _last_samples(container: _Container, body: int) -> int:
    """Offset of the end of samples of unknown size: before chunks that end exactly at the file's end, else that end."""
    begin = max(body, container.end - _PADDING)
    tail = read_at(container.file, begin, container.end - begin)
    places = {begin + place for name in _AFTER_SAMPLES if (place := tail.find(name)) >= 0}
    return next((place for place in sorted(places) if _go_to_the_end(container, place)), container.end)


def _go_to_the_end(container: _Container, place: int) -> bool:
    family = container.family
    while place + family.head <= container.end:
        name, size = _chunk(container, place)
        if name not in _AFTER_SAMPLES or size < 0:
            return False
        place += family.head + size
        if place == container.end:
            return True
        place = _padded(place, container.start, family)
    return place == container.end


def _are_chunks(container: _Container, place: int) -> bool:
    """Whether the rest of the file from this offset on consists of chunks, up to its end or to another container."""
    family, end = container.family, container.end
    while place + family.head <= end:
        name, size = _chunk(container, place)
        if name[:4] in _FAMILIES:
            return True
        if size < 0 or not name[:4].replace(b" ", b"").replace(b"_", b"").isalnum():
            return False
        place = _padded(place + family.head + size, 0, family)
    return place <= end + family.even


def _mended(container: _Container, data: _Data, stop: int) -> Stream:
    """The container up to the end of its samples, with the true size in its header."""
    start, family, there = container.start, container.family, stop - data.body
    endless = ENDLESS if data.form[1] == "I" else _ENDLESS_64
    share = promised(data.size, there, data.body - start, inner=family.inner, endless=endless)
    if data.size == there:
        return Stream(((start, stop),), share)
    written = there + family.head * family.counts_itself
    if data.form == "<I" and written >= 1 << 32:  # RF64 (EBU Tech 3306) is wav with a size of 64 bits
        ds64 = struct.pack("<4sIqqqI", b"ds64", 28, 0, written, 0, 0)
        head = b"RF64\xff\xff\xff\xffWAVE" + ds64
        return Stream((head, (start + 12, data.place), b"\xff" * 4, (data.body, stop)), share)
    size = struct.pack(data.form, written)
    return Stream(((start, data.place), size, (data.place + len(size), stop)), share)
