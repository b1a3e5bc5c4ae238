"""Containers that consist of chunks, each with a name and a size: wav, aiff, caf, w64 and their kin."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mgcl.audio.mpeg import mpeg_streams
from mgcl.audio.pieces import Stream, read_at

ENDLESS = 0x7FF00000
"""Bytes, just under 2 GiB: a writer that cannot seek back leaves such a size (SoX 0x7ffff000, others 2**31 - 1, 2**31,
2**32 - 1), which promises nothing."""
_ENDLESS_64 = 1 << 62
_PADDING = 1 << 16
"""Bytes that may follow on the samples and be nothing."""
_MPEG_IN_WAV = 0x55
_AFTER_SAMPLES = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"_PMX", b"cue ", b"smpl", b"JUNK")
"""Chunks that writers put behind the samples."""


@dataclass(frozen=True)
class _Family:
    """How a family of containers writes its chunks."""

    first: int
    """Where the first chunk begins."""
    name: int
    """Bytes of a chunk's name."""
    size: str
    """Form of a chunk's size, as struct has it."""
    data: bytes
    """Name of the chunk with the samples."""
    even: int = 1
    """Chunks begin at multiples of it."""
    counts_itself: bool = False
    """Whether a size is that of the name and the size too."""
    inner: int = 0
    """Bytes that stand before the samples in their chunk."""

    @property
    def head(self) -> int:
        """Bytes of a name and a size."""
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
    """One container in a file: a file holds several where files were joined."""

    file: BinaryIO
    start: int
    """Where the container begins."""
    end: int
    """Where the file ends."""
    family: _Family


@dataclass(frozen=True)
class _Data:
    """The chunk with the samples, as the header has it."""

    body: int
    """Where the samples begin."""
    size: int
    """Bytes, as the header says."""
    place: int
    """Where the size is written."""
    form: str
    """Form of the size, as struct has it."""
    mpeg: bool
    """Whether the samples are frames of MPEG audio, whose length is not in their bytes."""


def is_chunked(magic: bytes) -> bool:
    """Whether a file that begins with these 12 bytes consists of chunks that are known here."""
    return magic[:4] in _FAMILIES and (magic[:4] != b"FORM" or magic[8:] in _MAGIC_OF_FORM)


def chunked_streams(file: BinaryIO, start: int, end: int) -> Iterator[Stream]:
    """The stream that begins at ``start``, and those that were joined to it."""
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
    for begin in (stop, stop + 1):  # a file that follows on what is over of this one
        if read_at(file, begin, 4) in _FAMILIES:
            yield from chunked_streams(file, begin, end)
            return


def promised(size: int, there: int, header: int, *, inner: int = 0, endless: int = ENDLESS) -> float:
    """The bytes that a header promises in terms of those that are there; 1 where it promises nothing.

    Args:
        size: bytes, as the header says.
        there: bytes between the header and the end.
        header: bytes of the header: a size that counts them too promises nothing.
        inner: bytes of both that are no samples.
        endless: sizes from here on promise nothing.
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
    """Name of the chunk at a place, and size of what is in it."""
    family = container.family
    content = read_at(container.file, place, family.head)
    (size,) = struct.unpack(family.size, content[family.name :])
    return content[: family.name], size - family.head * family.counts_itself


def _padded(place: int, start: int, family: _Family) -> int:
    return place + -(place - start) % family.even


def _end_of_data(container: _Container, body: int, size: int) -> int:
    """Where the samples end: where the header says so, if the file does not deny it, else at the end of the file."""
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
        if tail.startswith(b"TAG") or (size and not tail.strip(b"\0")):  # an ID3 of the first kind; a sector's rest
            return stop
    return _last_samples(container, body)


def _last_samples(container: _Container, body: int) -> int:
    """Where samples end whose size is unknown: before chunks that go to the end of the file to the byte, if any do."""
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
    """Whether chunks, or another file, go from here to the end."""
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
    """The container up to where its samples end, with a header that says so."""
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
