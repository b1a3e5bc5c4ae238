"""An index of recordings, opened: its windows as arrays, and their embeddings by memory map."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mgcl.classifier.given import Stretch
from mgcl.classifier.index.header import Header, read_header
from mgcl.classifier.index.parts import Part, State, part_files, read_part
from mgcl.errors import DataError

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a recording is embedded."""

    state: State
    """State of its newest part."""
    windows: int
    """Number of its windows that are embedded."""


@dataclass(frozen=True, eq=False)
class Index:
    """The windows of an index. A row is one window; rows are in the order in which windows were embedded."""

    path: Path
    header: Header
    recordings: Sequence[str]
    """Absolute paths of the recordings."""
    recording: NDArray[np.intp]
    """Index of each window's recording, shape (windows,)."""
    starts: NDArray[np.float64]
    """Starts of the windows in seconds, shape (windows,)."""
    stops: NDArray[np.float64]
    """Ends of the windows in seconds, shape (windows,)."""
    usable: NDArray[np.bool_]
    """Whether each window is of the newest content of its recording and not silent, shape (windows,)."""
    progress: dict[str, Progress]
    """How far each recording is embedded, by absolute path."""
    parts: Sequence[Part]
    """The files, whose rows follow one another."""

    @classmethod
    def open(cls, path: str | Path) -> "Index":
        """Map the files of an index; no embedding is read.

        Raises:
            DataError: the folder holds no index, or a file of it is damaged; names it.
        """
        folder = Path(path)
        header = read_header(folder)
        parts = [read_part(file) for file in part_files(folder)]
        number: dict[str, int] = {}
        live = _Live(sum(len(part.starts) for part in parts))
        recording, row = [], 0
        for part in parts:
            for each in part.recordings:
                number.setdefault(each, len(number))
            recording.append(np.array([number[each] for each in part.recordings], np.intp)[part.recording])
            live.add(part, row)
            row += len(part.starts)
        empty = np.empty(0)
        return cls(
            path=folder,
            header=header,
            recordings=list(number),
            recording=np.concatenate([empty.astype(np.intp), *recording]),
            starts=np.concatenate([empty, *(part.starts for part in parts)]),
            stops=np.concatenate([empty, *(part.stops for part in parts)]),
            usable=live.rows & ~np.concatenate([empty.astype(bool), *(part.silent for part in parts)]),
            progress=live.progress,
            parts=parts,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def check_any(self) -> None:
        """Check that there is a window to be found.

        Raises:
            DataError: the index has none.
        """
        if not self.usable.any():
            raise DataError(f"{self.path}: holds no window that is not silent; add recordings with `mgcl index`")

    def stretch(self, row: int) -> Stretch:
        """The part of a recording that a window is."""
        return Stretch(self.recordings[self.recording[row]], float(self.starts[row]), float(self.stops[row]))

    def cosines(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of all windows with one unit vector of shape (d,), or with k of shape (d, k).

        Returns:
            Shape (windows,), or (windows, k).
        """
        found = [part.clip @ query for part in self.parts]
        return np.concatenate([np.empty((0, *query.shape[1:]), np.float32), *found])

    def clip(self, rows: Rows) -> NDArray[np.float32]:
        """Embeddings of some windows, unit vectors, shape (rows, d)."""
        found = np.empty((len(rows), self.header.embedding_dim), np.float32)
        for part, here, within in self._by_part(rows):
            found[here] = part.clip[within]
        return found

    def segments(self, rows: Rows) -> NDArray[np.float32]:
        """Embeddings of the segments of some windows, shape (rows, segments, d); float16 on the disk."""
        found = np.empty((len(rows), self.header.segments, self.header.embedding_dim), np.float32)
        for part, here, within in self._by_part(rows):
            found[here] = part.segments[within]
        return found

    @cached_property
    def _ends(self) -> Rows:
        """Row after the last one of each part."""
        return np.cumsum([len(part.starts) for part in self.parts])

    def _by_part(self, rows: Rows) -> list[tuple[Part, Rows, Rows]]:
        """Each part that has some of the rows, with their places among ``rows`` and their rows within the part."""
        of = np.searchsorted(self._ends, rows, side="right")
        found = []
        for number in np.unique(of):
            here = np.flatnonzero(of == number)
            part = self.parts[number]
            found.append((part, here, rows[here] - (self._ends[number] - len(part.starts))))
        return found


class _Live:
    """Which rows are of the newest content of their recordings, told part by part."""

    def __init__(self, rows: int) -> None:
        self.rows = np.zeros(rows, bool)
        self.progress: dict[str, Progress] = {}
        self._of: dict[str, list[Rows]] = {}

    def add(self, part: Part, row: int) -> None:
        """Tell the next part, whose first row is ``row``."""
        order = np.argsort(part.recording, kind="stable")
        edges = np.searchsorted(part.recording[order], np.arange(len(part.recordings) + 1))
        for number, path in enumerate(part.recordings):
            self._tell(path, part.states[path], row + order[edges[number] : edges[number + 1]])

    def _tell(self, path: str, state: State, rows: Rows) -> None:
        known = self.progress.get(path)
        if state.first == 0:
            for void in self._of.get(path, ()):
                self.rows[void] = False
            self._of[path] = []
        elif known is None or known.windows != state.first:  # a part in between was removed: to be done again
            return
        self.rows[rows] = True
        self._of[path].append(rows)
        self.progress[path] = Progress(state, state.first + len(rows))
