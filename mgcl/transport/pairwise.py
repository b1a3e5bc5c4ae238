"""All-pairs similarity of a bank's clips, computed once for all folds, ways, shots, variants and seeds."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl import records
from mgcl.transport import tiles
from mgcl.transport.matching import Matching
from mgcl.transport.similarity import Matched, Similarity, matched
from mgcl.transport.sinkhorn import iteration_limit

# Version of the numbers: increase it whenever the same input gives other numbers.
_KERNEL = 2
# Clips along a tile's edge: large enough that a look-up touches few tiles, small enough to fill within a second.
_EDGE = 512
# Clips of a tile's rows in memory at a time.
_STRIP = 64
_OPEN_TILES = 4096
# Clips up to which a bank has a store. All tiles of so many fit into the 20 GB that a machine stores by default. Of
# more, the few clips of a class that an episode draws would fill tiles of pairs that no episode looks up.
LARGEST_STORED = 50_000
# Share of a tile's pairs that are computed singly, where nothing is stored, before the whole tile is computed.
_WORTHWHILE = 0.25
_SYMMETRIC = ("transport", "uniform")

Rows = NDArray[np.intp]


@runtime_checkable
class Segments(Protocol):
    """Segment embeddings, shape (clips, n, d), of which rows are read: an array, or an object that reads files."""

    def __getitem__(self, rows: Rows, /) -> NDArray[np.float32]:
        """Segments of some clips, shape (rows, n, d)."""


class SimilarityStore:
    """Matches between any two clips of one bank, computed tile by tile when they are first looked up.

    A tile holds <T, cos>, h(T) / log(n m) and the converged flag of its pairs, so that any entropy weight is a
    look-up. Clips are ordered by class, so that an episode touches only the tiles of its own classes. For transport
    and uniform plans tile (i, j) is computed once, and tile (j, i) is its transpose.
    """

    def __init__(
        self,
        segments: Segments,
        labels: NDArray[Any],
        *,
        digest: str,
        root: Path | None = None,
        device: str = "cpu",
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare the look-up; tiles are computed later.

        Args:
            segments: segment embeddings of any length, shape (clips, n, d).
            labels: the clips' classes, or numbers in the order of their names; shape (clips,).
            digest: digest of the bank's content.
            root: folder of the stored tiles, on this machine's own disk; None keeps tiles in memory.
            device: device that computes tiles.
            check: raises if the segments no longer match the digest; called before a tile is stored.
        """
        self._check = check
        self._segments, self._digest, self._root = segments, digest, root
        self._device = torch.device(device)
        self._order = np.argsort(labels, kind="stable")
        self._place = np.argsort(self._order)
        self._open: dict[tuple[str, int, int], NDArray[np.float32]] = {}

    def look_up(self, rows: Rows, columns: Rows, matching: Matching) -> Similarity:
        """Similarity between bank rows a and bank rows b, shape (a, b), on the store's device, without a gradient."""
        (rows, first), (columns, second) = (_sorted(self._place[clips]) for clips in (rows, columns))
        pairs = np.empty((tiles.FIELDS, len(rows), len(columns)), np.float32)
        for i, across in _tiles(rows):
            for j, down in _tiles(columns):
                pairs[:, across, down] = self._pairs(rows[across], columns[down], i, j, matching)
        pairs = pairs.take(first, 1)
        pairs = pairs.take(second, 2)
        cosine, entropy, converged = torch.from_numpy(pairs).to(self._device)
        return Matched(cosine, entropy, converged.bool()).weighted(matching.entropy_weight)

    def _pairs(self, rows: Rows, columns: Rows, i: int, j: int, matching: Matching) -> NDArray[np.float32]:
        """Fields of the pairs between two sets of places, all of which lie in tile (i, j)."""
        row, column = (rows - i * _EDGE)[:, None], columns - j * _EDGE
        if i > j and matching.kind in _SYMMETRIC:
            i, j, row, column = j, i, column, row
        tile = self._tile(i, j, matching)
        pairs: NDArray[np.float32] = tile.reshape(tiles.FIELDS, -1).take(row * tile.shape[-1] + column, 1)
        return pairs

    def _tile(self, i: int, j: int, matching: Matching) -> NDArray[np.float32]:
        name, about = _identity(self._digest, self._device.type, matching)
        if (name, i, j) not in self._open:
            if len(self._open) >= _OPEN_TILES:
                self._open.clear()
            file, shape = f"{i:04}-{j:04}.npy", (len(self._rows(i)), len(self._rows(j)))
            self._open[name, i, j] = (
                tiles.stored(self._root / name / file, shape, about, lambda: self._compute(i, j, matching))
                if self._root
                else self._compute(i, j, matching)
            )
        return self._open[name, i, j]

    def _compute(self, i: int, j: int, matching: Matching) -> NDArray[np.float32]:
        rows, y, strips = self._rows(i), self._load(self._rows(j)), []
        for first in range(0, len(rows), _STRIP):
            strips.append(self._matched(rows[first : first + _STRIP], y, matching))
        self._check()
        return np.concatenate(strips, 1)

    @torch.no_grad()
    def _matched(self, rows: Rows, y: torch.Tensor, matching: Matching) -> NDArray[np.float32]:
        fields = matched(self._load(rows), y, matching)
        return torch.stack([field.float() for field in fields]).cpu().numpy()

    def _rows(self, index: int) -> Rows:
        """Bank rows along the edge of the tiles with this index."""
        rows: Rows = self._order[index * _EDGE : (index + 1) * _EDGE]
        return rows

    def _load(self, rows: Rows) -> torch.Tensor:
        return torch.from_numpy(self._segments[rows]).to(self._device)


class ComputedSimilarities(SimilarityStore):
    """Look-up without stored tiles: for one trial, for a matching that is used only once, and for large banks.

    Pairs are computed when they are looked up, until so many of a tile's pairs were computed that the rest of the tile
    costs little more; then the whole tile is computed and stays in memory. Values differ from a store's by rounding
    alone, and of banks of more than ``LARGEST_STORED`` clips within the matching's tolerance.
    """

    @torch.no_grad()
    def look_up(self, rows: Rows, columns: Rows, matching: Matching) -> Similarity:
        """As of a store. Of a bank that has none, all pairs are computed at once: its clips lie too far apart."""
        if len(self._order) <= LARGEST_STORED:
            return super().look_up(rows, columns, matching)
        self._check()
        return matched(self._load(rows), self._load(columns), matching).weighted(matching.entropy_weight)

    def _pairs(self, rows: Rows, columns: Rows, i: int, j: int, matching: Matching) -> NDArray[np.float32]:
        if i > j and matching.kind in _SYMMETRIC:  # stored pairs are solved in this order
            return self._pairs(columns, rows, j, i, matching).swapaxes(1, 2)
        name, _ = _identity(self._digest, self._device.type, matching)
        self._computed[name, i, j] += len(rows) * len(columns)
        if self._computed[name, i, j] > _WORTHWHILE * len(self._rows(i)) * len(self._rows(j)):
            return super()._pairs(rows, columns, i, j, matching)
        return self._matched(self._order[rows], self._load(self._order[columns]), matching)

    @cached_property
    def _computed(self) -> Counter[tuple[str, int, int]]:
        """Number of pairs that were looked up in each tile."""
        return Counter()


@lru_cache(maxsize=64)
def _identity(digest: str, device: str, matching: Matching) -> tuple[str, Mapping[str, object]]:
    """Return a store's name, and all settings that change its numbers. Entropy weight and gradient do not."""
    solver: dict[str, object] = {}
    if matching.kind == "transport":
        solver = {
            "epsilon": matching.epsilon,
            "tolerance": matching.tolerance,
            "max_iterations": matching.max_iterations or iteration_limit(matching.epsilon),
        }
    about = {
        "bank": digest,
        "kind": matching.kind,
        **solver,
        "kernel": _KERNEL,
        "torch": torch.__version__,
        "numba": version("numba"),
        "device": device,
        "dtype": "float32",
    }
    return records.digest(about)[:16], about


def _sorted(places: Rows) -> tuple[Rows, Rows]:
    """Return the sorted places, and the position of each given place among them."""
    order = np.argsort(places, kind="stable")
    return places[order], np.argsort(order)


def _tiles(places: Rows) -> Iterator[tuple[int, slice]]:
    """Yield each tile index that the sorted places touch, with the slice of places that lies in it."""
    indices, first = np.unique(places // _EDGE, return_index=True)
    for index, start, end in zip(indices, first, [*first[1:], len(places)], strict=True):
        yield int(index), slice(start, end)
