"""Location of the samples in a file, independent of the lengths in its header.

Recorders, pipes and other systems write wrong lengths: none, the length up to the disk's end, one that includes the
header, or one that overflowed 32 bits. A decoder that trusts them drops sound without an error. This module finds a
file's parts and gives each part a correct header; the result is decoded.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from mgcl.audio.chunks import chunked_streams, is_chunked, promised
from mgcl.audio.mpeg import mpeg_streams
from mgcl.audio.pieces import Stream, read_at

_STREAMINFO = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
_OTHERS = (b"FORM", b"Creative", b"NIST_1A", b"2BIT", b"PVF1", b"\x64\xa3", b"\x00\x01\xa3\x64", b"\x00\x02\xa3\x64")
"""First bytes of formats whose headers are not examined: the decoder reads these files as they are."""


def streams(file: BinaryIO) -> Sequence[Stream]:
    """Find the streams of a file; empty if the decoder should read the file as it is.

    Args:
        file: seekable, open for reading.
    """
    end = file.seek(0, io.SEEK_END)
    magic = read_at(file, 0, 12)
    if is_chunked(magic):
        return list(chunked_streams(file, 0, end))
    if magic[:4] in (b".snd", b"dns."):
        return [_au(file, end)]
    if magic[:4] == b"OggS":
        return list(_ogg(file, end))
    if magic[:4] == b"fLaC":
        return list(_flac(file, end))
    if magic.startswith(_OTHERS):
        return []
    return list(mpeg_streams(file, 0, end))


def _au(file: BinaryIO, end: int) -> Stream:
    order = ">" if read_at(file, 0, 4) == b".snd" else "<"
    content = read_at(file, 4, 8)
    if len(content) < 8:
        return Stream(((0, end),))
    body, size = struct.unpack(f"{order}II", content)
    there = max(0, end - body)
    pieces = (0, 8), struct.pack(f"{order}I", min(there, 0xFFFFFFFF)), (12, end)
    return Stream(pieces, promised(size, there, body))


def _ogg(file: BinaryIO, end: int) -> Iterator[Stream]:
    """Chained Ogg streams (RFC 3533, section 4). The pages at the beginning of a stream are marked in their headers."""
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
    """Streams of flac files that were joined: every stream begins with the same signature."""
    begin, place = 0, 4
    while (following := min(_next(file, each, place, end) for each in _STREAMINFO)) < end:
        yield Stream(((begin, following),))
        begin, place = following, following + 4
    yield Stream(((begin, end),))


def _next(file: BinaryIO, sought: bytes, place: int, end: int) -> int:
    """Offset of the next occurrence of some bytes; ``end`` if there is none."""
    block = 1 << 20
    while place < end:
        found = read_at(file, place, block + len(sought) - 1).find(sought)
        if found >= 0:
            return place + found
        place += block
    return end
