"""Parts of a file, put together as a file of its own."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes, or from where to where of a file they are."""


@dataclass(frozen=True)
class Stream:
    """One stream of samples: a file has one, or several where files were joined."""

    pieces: tuple[Piece, ...]
    """What is to be decoded, one after the other."""
    promised: float | None = 1.0
    """How much there should be, in terms of what there is; None: its end is missing, and nothing says how much."""
    sequential: bool = False
    """Whether it is decoded from its beginning: to seek in it is not exact."""


def read_at(file: BinaryIO, place: int, count: int) -> bytes:
    """At most so many bytes from a place of a file on."""
    file.seek(place)
    return file.read(count)


class Pieces(io.RawIOBase):
    """Parts of a file, one behind the other, as a file."""

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file, self._pieces, self._place = file, pieces, 0
        lengths = [len(each) if isinstance(each, bytes) else each[1] - each[0] for each in pieces]
        self._begins = [sum(lengths[:row]) for row in range(len(lengths) + 1)]

    def seekable(self) -> bool:
        """Any place can be read."""
        return True

    def readable(self) -> bool:
        """Bytes can be read."""
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
