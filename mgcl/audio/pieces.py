"""Parts of a file, concatenated to a virtual file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes, or start and end offsets of bytes in a file."""


@dataclass(frozen=True)
class Stream:
    """One stream of samples. A file has one stream, or several if files were joined."""

    pieces: tuple[Piece, ...]
    """Pieces to decode, in their order."""
    promised: float | None = 1.0
    """Ratio of the promised length to the present one; None: the end is missing and the promised length is unknown."""
    sequential: bool = False
    """Whether the stream must be decoded from its beginning, since seeking in it is not exact."""


def read_at(file: BinaryIO, place: int, count: int) -> bytes:
    """Read at most ``count`` bytes from an offset of a file on."""
    file.seek(place)
    return file.read(count)


class Pieces(io.RawIOBase):
    """Concatenated pieces of a file, as a readable and seekable file."""

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file, self._pieces, self._place = file, pieces, 0
        lengths = [len(each) if isinstance(each, bytes) else each[1] - each[0] for each in pieces]
        self._begins = [sum(lengths[:row]) for row in range(len(lengths) + 1)]

    def seekable(self) -> bool:
        """Whether the file can seek: always."""
        return True

    def readable(self) -> bool:
        """Whether the file can be read: always."""
        return True

    def tell(self) -> int:
        """Offset of the next byte to read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the offset of the next byte to read, relative to ``whence``; returns the new offset."""
        self._place = offset + (0, self._place, self._begins[-1])[whence]
        return self._place

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read bytes into a buffer; returns their number, less than the buffer's size only at the end."""
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
