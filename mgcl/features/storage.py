"""Shared and object storage that pyarrow reaches: the address of a bank, and reading from it."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow.fs import FileSystem, LocalFileSystem
from tqdm import tqdm

from mgcl.errors import BankError
from mgcl.features.schema import CLASSES, CLIPS, HEADER

_CHUNK = 1 << 24
"""Bytes per read, which is also the memory that a copy takes."""

State = tuple[int, int]
"""Size of a file in bytes, and its time of change in ns."""


@dataclass(frozen=True)
class Source:
    """Location of a bank: its address, and the file system and folder that the address names."""

    address: str
    system: FileSystem
    folder: str

    def place(self, name: str) -> str:
        """Path of a file of the bank, for the file system."""
        return f"{self.folder}/{name}"

    def found(self, *names: str) -> dict[str, State]:
        """States of those files that exist."""
        about = self.system.get_file_info([self.place(name) for name in names])
        return {name: (each.size, each.mtime_ns) for name, each in zip(names, about, strict=True) if each.is_file}

    def states(self, *names: str) -> dict[str, State]:
        """States of files.

        Raises:
            BankError: a file is missing.
        """
        return self.complete(self.found(*names), names)

    def complete(self, found: Mapping[str, State], names: Iterable[str]) -> dict[str, State]:
        """The same states, in the order of the names.

        Raises:
            BankError: a file is missing.
        """
        for name in names:
            if name not in found:
                raise BankError(
                    f"{self.address}: no {name} there; a feature bank is {HEADER}, {CLASSES}, and {CLIPS} or the "
                    f"shards that {HEADER} lists: check the address"
                )
        return {name: found[name] for name in names}

    def copy(self, name: str, target: Path) -> None:
        """Stream a file to the disk. On a terminal a long copy shows a progress bar."""
        with self.system.open_input_file(self.place(name)) as content, target.open("wb") as file:
            with tqdm.wrapattr(content, "read", desc=name, total=content.size(), disable=None, delay=1) as stream:
                shutil.copyfileobj(stream, file, _CHUNK)
            file.flush()
            os.fsync(file.fileno())  # without it, a power cut after a rename could leave a copy with holes


def source_of(address: str) -> Source:
    """Location that an address names: a folder, or ``s3://BUCKET/KEY`` and the like.

    Raises:
        BankError: the address holds credentials.
    """
    if "://" not in address:
        return Source(address, LocalFileSystem(), str(Path(address).absolute()))
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise BankError(
            f"{parts.scheme}://...@{parts.hostname}{parts.path}: an address must not hold credentials, it is kept with "
            "the results; put them into the environment"
        )
    return Source(address, *FileSystem.from_uri(address))
