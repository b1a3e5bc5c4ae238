"""Where the samples of a file are, whatever its header says of them.

Recorders, pipes and other systems write lengths that are wrong: none, of the disk's end, of the header too, or what is
left of them in 32 bits. A decoder that takes them at their word drops sound in silence. Here a file's parts are found,
and each is given the header that fits: that is what is decoded.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mgcl.audio.mpeg import mpeg_streams, read_at

Piece = bytes | tuple[int, int]
"""Bytes, or from where to where of a file they are."""

_ENDLESS = 0x7FF00000
"""Bytes, just under 2 GiB: a writer that cannot seek back leaves such a size (SoX 0x7ffff000, others 2**31 - 1, 2**31,
2**32 - 1), which promises nothing."""
_ENDLESS_64 = 1 << 62
_PADDING = 1 << 16
"""Bytes that may follow on the samples and be nothing."""
_MPEG_IN_WAV = 0x55
_STREAMINFO = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")


@dataclass(frozen=True)
class Stream:
    """One stream of samples: a file has one, or several where files were joined."""

    pieces: tuple[Piece, ...]
    """What is to be decoded, one after the other."""
    promised: float | None = 1.0
    """How much there should be, in terms of what there is; None: its end is missing, and nothing says how much."""
    sequential: bool = False
    """Whether it is decoded from its beginning: to seek in it is not exact."""


@dataclass(frozen=True)
class _Chunks:
    """How a family of containers writes the chunks that it consists of."""

    first: int
    """Where the first one begins."""
    name: int
    """Bytes."""
    size: str
    """As struct has it."""
    data: bytes
    """Name of the one with the samples."""
    even: int = 1
    """Chunks begin at multiples of it."""
    counts_itself: bool = False
    """Whether the size is that of the name and the size too."""

    @property
    def head(self) -> int:
        """Bytes of a name and a size."""
        return self.name + struct.calcsize(self.size)


_FAMILIES = {
    b"RIFF": _Chunks(12, 4, "<I", b"data", even=2),
    b"RIFX": _Chunks(12, 4, ">I", b"data", even=2),
    b"RF64": _Chunks(12, 4, "<I", b"data", even=2),
    b"BW64": _Chunks(12, 4, "<I", b"data", even=2),
    b"FORM": _Chunks(12, 4, ">I", b"SSND", even=2),
    b"caff": _Chunks(8, 4, ">q", b"data"),
    b"riff": _Chunks(40, 16, "<q", b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a"), even=8, counts_itself=True),
}
_MAGIC_OF_FORM = (b"AIFF", b"AIFC")
_OTHERS = (b"FORM", b"Creative", b"NIST_1A", b"2BIT", b"PVF1", b"\x64\xa3", b"\x00\x01\xa3\x64", b"\x00\x02\xa3\x64")
"""How files begin whose headers are not looked into."""


def streams(file: BinaryIO) -> Sequence[Stream]:
    """Find the streams of a file; empty where its decoder is better left alone with it.

    Args:
        file: seekable, open for reading.
    """
    end = file.seek(0, io.SEEK_END)
    magic = read_at(file, 0, 12)
    if magic[:4] in _FAMILIES and not (magic[:4] == b"FORM" and magic[8:] not in _MAGIC_OF_FORM):
        return list(_chunked(file, 0, end))
    if magic[:4] in (b".snd", b"dns."):
        return [_au(file, end)]
    if magic[:4] == b"OggS":
        return list(_ogg(file, end))
    if magic[:4] == b"fLaC":
        return list(_flac(file, end))
    if magic.startswith(_OTHERS):
        return []
    return [Stream(pieces, promised, sequential=True) for pieces, promised in mpeg_streams(file, 0, end)]


def _chunked(file: BinaryIO, start: int, end: int) -> Iterator[Stream]:
    """The stream that begins at ``start``, and those that were joined to it."""
    family = _FAMILIES.get(read_at(file, start, 4))
    if family is None:
        return
    place, long_size, mpeg = start + family.first, None, False
    while place + family.head <= end:
        name, size = _chunk(file, place, family)
        body = place + family.head
        if name[:4] == b"ds64":
            long_size = body + 8
        if name == b"fmt ":
            mpeg = read_at(file, body, 2) == struct.pack("<H", _MPEG_IN_WAV)
        if name == family.data:
            field = (place + family.name, family.size)
            if long_size is not None and size == 0xFFFFFFFF:
                field = (long_size, "<q")
                (size,) = struct.unpack("<q", read_at(file, long_size, 8))
            following = _end_of_data(file, body, size, end, family)
            yield _mended(file, start, body, size, following, field, family, mpeg=mpeg)
            yield from _joined(file, following, end)
            return
        if size < 0 or name.translate(None, b"\0").strip() == b"":
            return
        place = _padded(body + size, start, family)


def _chunk(file: BinaryIO, place: int, family: _Chunks) -> tuple[bytes, int]:
    """Name and size of what is in it."""
    content = read_at(file, place, family.head)
    (size,) = struct.unpack(family.size, content[family.name :])
    return content[: family.name], size - family.head * family.counts_itself


def _padded(place: int, start: int, family: _Chunks) -> int:
    return place + -(place - start) % family.even


def _end_of_data(file: BinaryIO, body: int, size: int, end: int, family: _Chunks) -> int:
    """Where the samples end: where the header says so, if the file does not deny it, else at the end of the file."""
    if not 0 <= size <= end - body:
        return end
    stop = body + size
    rest = end - stop
    if rest < family.head:
        return end if size > 0 and rest >= family.even else stop
    if any(_are_chunks(file, place, end, family) for place in sorted({_padded(stop, 0, family), stop, stop + 1})):
        return stop
    if rest <= _PADDING:
        tail = read_at(file, stop, rest)
        if tail.startswith(b"TAG") or (size and not tail.strip(b"\0")):  # an ID3 of the first kind; a sector's rest
            return stop
    return end


def _are_chunks(file: BinaryIO, place: int, end: int, family: _Chunks) -> bool:
    """Whether chunks, or another file, go from here to the end."""
    while place + family.head <= end:
        name, size = _chunk(file, place, family)
        if name[:4] in _FAMILIES:
            return True
        if size < 0 or not name[:4].replace(b" ", b"").replace(b"_", b"").isalnum():
            return False
        place = _padded(place + family.head + size, 0, family)
    return place <= end + family.even


def _joined(file: BinaryIO, place: int, end: int) -> Iterator[Stream]:
    """A file that follows on what is over of this one."""
    for begin in (place, place + 1):
        if read_at(file, begin, 4) in _FAMILIES:
            yield from _chunked(file, begin, end)
            return


def _mended(
    file: BinaryIO,
    start: int,
    body: int,
    size: int,
    stop: int,
    field: tuple[int, str],
    family: _Chunks,
    *,
    mpeg: bool,
) -> Stream:
    there = stop - body
    if mpeg:  # whose length is not in its bytes
        for pieces, promised in mpeg_streams(file, body, stop):
            return Stream(pieces, promised, sequential=True)
    place, form = field
    inner = 8 if family.data == b"SSND" else 4 if family.data == b"data" and family.size == ">q" else 0
    promised = _promised(size, there, body - start, inner, endless=_ENDLESS if form[1] == "I" else _ENDLESS_64)
    if size == there:
        return Stream(((start, stop),), promised)
    written = there + family.head * family.counts_itself
    if form == "<I" and written >= 1 << 32:  # RF64 (EBU Tech 3306) is wav with a size of 64 bits
        ds64 = struct.pack("<4sIqqqI", b"ds64", 28, 0, written, 0, 0)
        return Stream((b"RF64\xff\xff\xff\xffWAVE" + ds64, (start + 12, place), b"\xff" * 4, (body, stop)), promised)
    size_field = struct.pack(form, written)
    return Stream(((start, place), size_field, (place + len(size_field), stop)), promised)


def _promised(size: int, there: int, header: int, inner: int, *, endless: int) -> float:
    """Of so many bytes in terms of those that are there; a size that counts its header too is none."""
    if not 0 <= size < endless or size <= there + header:
        return 1.0
    return (size - inner) / max(there - inner, 1)


def _au(file: BinaryIO, end: int) -> Stream:
    order = ">" if read_at(file, 0, 4) == b".snd" else "<"
    content = read_at(file, 4, 8)
    if len(content) < 8:
        return Stream(((0, end),))
    body, size = struct.unpack(f"{order}II", content)
    there = max(0, end - body)
    promised = _promised(size, there, body, 0, endless=_ENDLESS)
    return Stream(((0, 8), struct.pack(f"{order}I", min(there, 0xFFFFFFFF)), (12, end)), promised)


def _ogg(file: BinaryIO, end: int) -> Iterator[Stream]:
    """Streams that follow on each other (RFC 3533, section 4): each begins with pages that say so."""
    place = begin = 0
    beginning, ended = True, False
    while place + 27 <= end:
        content = read_at(file, place, 27)
        if content[:4] != b"OggS":
            place = _next(file, b"OggS", place + 1, end)
            continue
        first, last = bool(content[5] & 2), bool(content[5] & 4)
        table = file.read(content[26])
        following = place + 27 + len(table) + sum(table)
        if first and not beginning:
            yield Stream(((begin, place),))
            begin = place
        beginning, ended, place = first, last and following <= end, following
    yield Stream(((begin, end),), 1.0 if ended else None)


def _flac(file: BinaryIO, end: int) -> Iterator[Stream]:
    """A file that was joined to another begins with the same letters."""
    begin, place = 0, 4
    while (following := min(_next(file, each, place, end) for each in _STREAMINFO)) < end:
        yield Stream(((begin, following),))
        begin, place = following, following + 4
    yield Stream(((begin, end),))


def _next(file: BinaryIO, sought: bytes, place: int, end: int) -> int:
    """Where bytes stand next; the end, if nowhere."""
    block = 1 << 20
    while place < end:
        found = read_at(file, place, block + len(sought) - 1).find(sought)
        if found >= 0:
            return place + found
        place += block
    return end


class Pieces(io.RawIOBase):
    """Parts of a file, one behind the other, as a file of its own."""

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file, self._pieces, self._place = file, pieces, 0
        lengths = [len(each) if isinstance(each, bytes) else each[1] - each[0] for each in pieces]
        self._begins = [sum(lengths[:row]) for row in range(len(lengths) + 1)]

    def seekable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._place = offset + (0, self._place, self._begins[-1])[whence]
        return self._place

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fill a buffer as far as the bytes go."""
        view, done = memoryview(buffer).cast("B"), 0
        while done < len(view) and self._place < self._begins[-1]:
            row = next(row for row, begin in enumerate(self._begins[1:]) if self._place < begin)
            within, piece = self._place - self._begins[row], self._pieces[row]
            count = min(len(view) - done, self._begins[row + 1] - self._place)
            content = (
                piece[within : within + count]
                if isinstance(piece, bytes)
                else read_at(self._file, piece[0] + within, count)
            )
            if not content:
                break
            view[done : done + len(content)] = content
            done, self._place = done + len(content), self._place + len(content)
        return done
