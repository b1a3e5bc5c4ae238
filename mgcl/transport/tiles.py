"""Tiles of all-pairs matches on this machine's disk.

A tile is written completely or not at all; the least recently opened tiles are evicted. ``ROOT/STORE/about.json``
describes a store, and ``ROOT/STORE/0003-0007.npy`` is one of its tiles. ROOT belongs to one machine:
``$MGCL_NODE_DIR/similarity``, or ``$MGCL_HOME/similarity/HOST``.
"""

import json
import os
import platform
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from mgcl.errors import MgclWarning
from mgcl.files import DRAFT, replacing
from mgcl.home import similarity_limit

# A tile's fields are <T, cos>, h(T) / log(n m), and 1 if the problem converged: float32, shape (3, rows, columns).
FIELDS = 3
# Longest wait for another worker that computes the same tile.
_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class StoredSimilarity:
    """Similarity store on disk."""

    path: Path
    about: Mapping[str, object]
    tiles: int
    size: int
    """Size of all tiles, in bytes."""
    opened: float
    """Time when one of its tiles was last opened, in seconds since 1970; 0 without tiles."""


def machine_root(home: Path) -> Path:
    """Folder of this machine's stores: ``$MGCL_NODE_DIR/similarity``, or a folder in ``home`` named by the host.

    Machines never share a folder.
    """
    if chosen := os.environ.get("MGCL_NODE_DIR"):
        return Path(chosen).absolute() / "similarity"
    return home / "similarity" / platform.node()


def stored(
    file: Path, shape: tuple[int, int], about: Mapping[str, object], compute: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return a tile of shape (rows, columns) as a memory map. A missing tile is computed and written first.

    If several workers need the same tile, one computes it and the others wait. If the tile cannot be written, an
    ``MgclWarning`` is issued, and the tile is returned in memory.
    """
    if (found := _read(file, shape)) is not None:
        return found
    values = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=_PATIENCE_SECONDS):
            if (found := _read(file, shape)) is not None:
                return found
            values = compute()
            _write(file, about, values)
        _evict(file.parent.parent, file)
        found = _read(file, shape)  # the memory map is shared with the other workers
    except Timeout:
        return compute()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        warnings.warn(
            f"{file.parent.parent} cannot be written ({reason}): similarities stay in memory and are computed again "
            "next time",
            MgclWarning,
            stacklevel=2,
        )
        return compute() if values is None else values
    return values if found is None else found


def stores(root: Path) -> list[StoredSimilarity]:
    """Return the stores under a root, the least recently opened first."""
    found = []
    for label in root.glob("*/about.json"):
        tiles = list(_files(label.parent, "*.npy"))
        found.append(
            StoredSimilarity(
                label.parent,
                json.loads(label.read_text()),
                len(tiles),
                sum(size for _, size, _ in tiles),
                max((opened for opened, *_ in tiles), default=0.0),
            )
        )
    return sorted(found, key=lambda store: store.opened)


def remove(store: StoredSimilarity) -> None:
    """Delete a store. Processes with open tiles of it can still read these."""
    shutil.rmtree(store.path)


def _read(file: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Return the tile, or None if its file is missing, truncated or invalid; the caller then computes it again."""
    try:
        values: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
        with suppress(PermissionError):  # another user's file can be read, but not marked as opened
            os.utime(file)
    except (OSError, ValueError, EOFError):
        return None
    return values if values.shape == (FIELDS, *shape) and values.dtype == np.float32 else None


def _write(file: Path, about: Mapping[str, object], values: NDArray[np.float32]) -> None:
    label = file.with_name("about.json")
    if not label.exists():
        with replacing(label) as draft:
            draft.write_text(json.dumps(about, indent=1), encoding="utf-8")
    with replacing(file) as draft, draft.open("wb") as stream:
        np.save(stream, values)


def _evict(root: Path, newest: Path) -> None:
    """Delete the least recently opened tiles until the rest fit, and incomplete files of workers that died."""
    hour_ago = time.time() - 3600
    for opened, _, draft in _files(root, f"*/{DRAFT}*"):
        if opened < hour_ago:
            draft.unlink(missing_ok=True)
    tiles = sorted(_files(root, "*/*.npy"))
    excess = sum(size for _, size, _ in tiles) - similarity_limit()
    for _, size, tile in tiles:
        if excess <= 0:
            break
        if tile != newest:
            tile.unlink(missing_ok=True)
            excess -= size


def _files(root: Path, pattern: str) -> Iterator[tuple[float, int, Path]]:
    """Yield the time when each file was last opened or written, its size and its path.

    Files that other processes delete meanwhile are skipped.
    """
    for file in root.glob(pattern):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        yield status.st_mtime, status.st_size, file
