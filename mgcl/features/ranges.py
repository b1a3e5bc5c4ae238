"""Banks of shards whose vectors stay on storage: a machine's copy has holes, which are filled with the rows in use.

Every shard is a sparse file of its full size. Making it reads what opening a bank reads: the footer, the columns
without vectors, and the number of vectors per row. A row of vectors is read from the storage, by its range of bytes,
when it is first asked for. ``clips-00000.arrow.COLUMN.present`` has one byte per row, 1 once its vectors are in the
file. It is set after they are on the disk, so that a process that dies leaves a hole and no wrong number. Several
processes may fill one copy. ``source.json`` holds the address, and each shard's size and time there and the places of
its vectors.
"""

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from mgcl.errors import BankError
from mgcl.features.columns import Ragged, one_chunk, read_column
from mgcl.features.gathered import Gathered
from mgcl.features.schema import CLIPS, Column, columns_of
from mgcl.features.storage import Source, source_of

SOURCE = "source.json"
_AT_ONCE = 16
"""Requests to the storage at once, because most of their time is latency."""

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Distant:
    """A shard on the storage.

    Attributes:
        state: its size in bytes and its time of change in ns.
        places: stored name of a column of vectors -> first byte of the first vector.
    """

    state: tuple[int, ...]
    places: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class RemoteRows:
    """Fills the holes of a machine's copy with the rows that are asked for.

    Attributes:
        folder: folder of the copy.
        source: storage of the bank.
        shards: file of a shard -> the shard on the storage, in the order of the bank.
    """

    folder: Path
    source: Source
    shards: Mapping[str, Distant]

    @property
    def address(self) -> str:
        """Address of the bank."""
        return self.source.address

    def filled(self, column: Column, values: Gathered | Ragged) -> Gathered | Ragged:
        """The same column, whose vectors are read from the storage before they are taken from the copy."""
        if isinstance(values, Ragged):
            return replace(values, values=self._filled(column, cast(Gathered, values.values)))
        return self._filled(column, values)

    def _filled(self, column: Column, values: Gathered) -> Gathered:
        return replace(values, need=partial(self._need, column.stored))

    def _need(self, column: str, values: Gathered, wanted: Mapping[int, Rows]) -> None:
        """Read those of the wanted rows that the copy lacks.

        Raises:
            BankError: the storage cannot be read, or a shard was changed there.
        """
        names, missing = list(self.shards), {}
        for part, rows in wanted.items():
            there = self._present(names[part], column, len(values.parts[part]))
            if (lacking := np.unique(rows[there[rows] == 0])).size:
                missing[names[part]] = there, lacking
        if not missing:
            return
        size = max(part[:1].nbytes for part in values.parts)
        runs = [(name, *run) for name, (_, rows) in missing.items() for run in _runs(rows)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self._open.update(zip(missing, pool.map(self._opened, missing), strict=True))
            found = list(pool.map(lambda run: self._read(column, size, *run), runs))
        with self._reading("its files"):
            states = self.source.states(*missing)
        for name, state in states.items():
            if state != self.shards[name].state:
                raise BankError(
                    f"{self.source.address}: {name} was changed since the bank was opened; start again with what it is "
                    "now"
                )
        for name, contents in groupby(zip(runs, found, strict=True), lambda each: each[0][0]):
            there, rows = missing[name]
            with (self.folder / name).open("r+b") as own:
                for (_, first, _), content in contents:
                    os.pwrite(own.fileno(), content, self.shards[name].places[column] + first * size)
                os.fdatasync(own.fileno())
            there[rows] = 1

    def _opened(self, name: str) -> pa.NativeFile:
        with self._reading(name):
            return self._open.get(name) or self.source.system.open_input_file(self.source.place(name))

    def _read(self, column: str, size: int, name: str, first: int, count: int) -> bytes:
        with self._reading(name):
            place = self.shards[name].places[column] + first * size
            content: bytes = self._open[name].read_at(count * size, place)
            if len(content) < count * size:
                raise OSError("it is too short")
            return content

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason = str(error).partition("\n")[0]
            raise BankError(
                f"{self.address}: {name} cannot be read ({reason}); check that the bank is there and this machine's "
                "access to it, and start again"
            ) from None

    def _present(self, name: str, column: str, count: int) -> NDArray[np.uint8]:
        """One byte per row of a shard: 1 once its vectors are in the copy."""
        if (name, column) not in self._there:
            file = self.folder / f"{name}.{column}.present"
            with file.open("ab") as empty:
                empty.truncate(count)
            self._there[name, column] = np.memmap(file, np.uint8, "r+", shape=(count,))
        return self._there[name, column]

    @cached_property
    def _open(self) -> dict[str, pa.NativeFile]:
        return {}

    @cached_property
    def _there(self) -> dict[tuple[str, str], NDArray[np.uint8]]:
        return {}


def remote_rows(folder: Path) -> RemoteRows | None:
    """What fills the holes of a copy; None: the folder is no copy with holes."""
    if not (folder / SOURCE).is_file():
        return None
    known = json.loads((folder / SOURCE).read_text(encoding="utf-8"))
    shards = {name: Distant(tuple(each["state"]), each["places"]) for name, each in known["shards"].items()}
    return RemoteRows(folder, source_of(known["address"]), shards)


def copy_without_vectors(source: Source, names: Iterable[str], folder: Path) -> None:
    """Copy shards into a folder, with a hole in place of every vector.

    Args:
        source: storage of the bank.
        names: files of the shards, in order.
        folder: existing folder.

    Raises:
        BankError: a file is not on the storage.
        OSError: the storage cannot be read, or the folder cannot be written.
        pyarrow.ArrowException: a file is no Arrow file.
    """
    names = tuple(names)
    states = source.states(*names)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        copied = pool.map(lambda name: _copy_shard(source, name, states[name][0], folder / name), names)
        shown = tqdm(copied, desc="shards", total=len(names), disable=None, delay=1)
        shards = {name: Distant(states[name], places) for name, places in zip(names, shown, strict=True)}
    content = {"address": source.address, "shards": {name: asdict(each) for name, each in shards.items()}}
    (folder / SOURCE).write_text(json.dumps(content), encoding="utf-8")


def _copy_shard(source: Source, name: str, size: int, file: Path) -> dict[str, int]:
    """Copy a shard without its vectors, and return the places of these in bytes, by column."""
    with source.system.open_input_file(source.place(name)) as distant, file.open("w+b") as own:
        own.truncate(size)
        both = _Both(distant, own.fileno())
        schema = pa.ipc.open_file(pa.PythonFile(both, "r")).schema
        vectors = {each.stored: each for each in columns_of(CLIPS, schema.empty_table()) if each.holds_vectors}
        rest = [place for place, column in enumerate(schema.names) if column not in vectors]
        options = pa.ipc.IpcReadOptions(included_fields=rest, use_threads=False)
        pa.ipc.open_file(pa.PythonFile(both, "r"), options=options).read_all()
        with pa.memory_map(str(file)) as mapped:
            start = mapped.read_buffer(1).address
            mapped.seek(0)
            table = pa.ipc.open_file(mapped).read_all()
            for column in vectors:
                array = one_chunk(table[column])
                if pa.types.is_list(array.type):
                    offsets = array.buffers()[1]
                    both.fetch(offsets.address - start, offsets.size)
            places = {name: _address(read_column(table, column)) - start for name, column in vectors.items()}
        os.fsync(own.fileno())  # without it, a power cut after the rename of the folder could leave other holes
        return places


class _Both(io.RawIOBase):
    """A file on the storage of which everything that is read is also written to the same place of an own file."""

    def __init__(self, distant: pa.NativeFile, own: int) -> None:
        self._distant, self._own, self._place = distant, own, 0

    def fetch(self, place: int, count: int) -> bytes:
        """Read some bytes, and write them."""
        content: bytes = self._distant.read_at(count, place)
        os.pwrite(self._own, content, place)
        return content

    def read(self, count: int = -1, /) -> bytes:
        """Read on from the present place."""
        content = self.fetch(self._place, self._distant.size() - self._place if count < 0 else count)
        self._place += len(content)
        return content

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a place."""
        self._place = place + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._distant.size()}[whence]
        return self._place

    def tell(self) -> int:
        """Present place."""
        return self._place

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True


def _runs(rows: Rows) -> Iterator[tuple[int, int]]:
    """Yield first row and length of each run of neighbours among sorted rows."""
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        yield int(run[0]), len(run)


def _address(values: Any) -> int:
    """Address of the first vector of a column."""
    vectors = values.values[values.offsets[0] :] if isinstance(values, Ragged) else values
    address: int = vectors.__array_interface__["data"][0]
    return address
