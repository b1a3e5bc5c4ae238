"""The feature bank: opened by memory map, read without a copy, named by its content."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mgcl.errors import BankError
from mgcl.features.schema import (
    CLASSES,
    CLIPS,
    HEADER,
    MEL_STATISTICS,
    Header,
    check_tables,
    classes_schema,
    clips_schema,
    is_captioned,
    parse_header,
)
from mgcl.language.captions import names_its_class
from mgcl.records import Clip, canonical_json

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FeatureBank:
    """A backbone's outputs for one data set. Arrays are read-only views of the files.

    Attributes:
        path: its folder.
        header: what ``bank.json`` says.
        clips: the table of ``clips.arrow``, one row a clip.
        classes: the table of ``classes.arrow``, one row a class.
        stamps: what its files looked like when it was opened.
    """

    path: Path
    header: Header
    clips: pa.Table
    classes: pa.Table
    stamps: Mapping[str, tuple[int, ...]]

    @classmethod
    def open(cls, path: str | Path) -> "FeatureBank":
        """Map a bank's files and check every value once.

        Raises:
            BankError: a file is missing, truncated, or not a bank; names file, column and row.
        """
        folder = Path(path).absolute()
        if not folder.is_dir():
            raise BankError(f"{folder}: no such feature bank; make one with `mgcl extract` or `mgcl bank import`")
        for name in (HEADER, CLIPS, CLASSES):
            if not (folder / name).is_file():
                raise BankError(f"{folder / name}: missing; a feature bank is {HEADER}, {CLIPS} and {CLASSES}")
        stamps = _stamps(folder)
        try:
            text = (folder / HEADER).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise BankError(f"{folder / HEADER}: not a text file; write the bank again") from None
        header = parse_header(text, str(folder / HEADER))
        clips, classes = _map(folder / CLIPS), _map(folder / CLASSES)
        check_tables(clips, classes, header, str(folder))
        return cls(folder, header, clips, classes, stamps)

    def check_unchanged(self) -> None:
        """Files that are written over change under those who mapped them; files that are gone do not.

        Raises:
            BankError: one is not the one that was opened.
        """
        if not _stamps(self.path).items() <= self.stamps.items():
            raise BankError(
                f"{self.path}: changed while it was in use; put it back, or start again with what it is now"
            )

    @cached_property
    def clip_embeddings(self) -> Floats:
        """Shape (clips, d)."""
        return self._matrix(self.clips, "clip_embedding")

    @cached_property
    def captioned(self) -> bool:
        """Whether its clips have captions."""
        return is_captioned(self.clips)

    @cached_property
    def caption_embeddings(self) -> Floats | None:
        """Shape (clips, d); None: this bank has no captions."""
        return self._matrix(self.clips, "caption_embedding") if self.captioned else None

    @cached_property
    def segment_embeddings(self) -> Floats:
        """Shape (clips, segments, d)."""
        return self._matrix(self.clips, "segment_embeddings").reshape(
            self.clips.num_rows, self.header.segments, self.header.embedding_dim
        )

    @cached_property
    def prompt_embeddings(self) -> Floats:
        """Shape (classes, d)."""
        return self._matrix(self.classes, "prompt_embedding")

    @cached_property
    def explanation_embeddings(self) -> Floats:
        """Shape (classes, explanations, d)."""
        return self._matrix(self.classes, "explanation_embeddings").reshape(
            self.classes.num_rows, -1, self.header.embedding_dim
        )

    @cached_property
    def captions_naming_class(self) -> float | None:
        """The share of captions that contain a word of their class's name, 0..1; None: it has no captions."""
        if not self.captioned:
            return None
        pairs = zip(self.clips["caption"].to_pylist(), self.clips["label"].to_pylist(), strict=True)
        return float(np.mean([names_its_class(*pair) for pair in pairs]))

    @cached_property
    def mel_statistics(self) -> Floats | None:
        """Shape (clips, statistics); None: this bank has none."""
        if MEL_STATISTICS not in self.clips.column_names:
            return None
        size = self.clips.schema.field(MEL_STATISTICS).type.list_size
        return self._flat(self.clips, MEL_STATISTICS).reshape(-1, size)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Clip id -> why extraction left it out; empty where no extraction made this bank."""
        content = json.loads((self.path / HEADER).read_text(encoding="utf-8"))
        return dict(content.get("extraction", {}).get("left_out", {}))

    @cached_property
    def row_of_clip(self) -> dict[str, int]:
        """Clip id -> row of the clip arrays."""
        return {clip_id: row for row, clip_id in enumerate(self.clips["clip_id"].to_pylist())}

    @cached_property
    def row_of_class(self) -> dict[str, int]:
        """Label -> row of the class arrays."""
        return {label: row for row, label in enumerate(self.classes["label"].to_pylist())}

    @cached_property
    def clip_records(self) -> tuple[Clip, ...]:
        """What drawing episodes needs to know of each clip, in row order."""
        columns = (self.clips[name].to_pylist() for name in ("clip_id", "label", "source"))
        return tuple(Clip(*row) for row in zip(*columns, strict=True))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: the header and every column's values, however the files lay them out."""
        hasher = hashlib.sha256(canonical_json(self.header.to_json()).encode())
        d = self.header.embedding_dim
        schemas = clips_schema(d, captioned=self.captioned), classes_schema(d)
        for table, schema in zip((self.clips, self.classes), schemas, strict=True):
            for field in schema:
                hasher.update(field.name.encode())
                if "embedding" in field.name:
                    hasher.update(self._matrix(table, field.name).astype("<f4", copy=False).data)
                else:
                    hasher.update(canonical_json(table[field.name].to_pylist()).encode())
        if self.mel_statistics is not None:
            hasher.update(MEL_STATISTICS.encode())
            hasher.update(self.mel_statistics.astype("<f4", copy=False).data)
        return hasher.hexdigest()

    def _matrix(self, table: pa.Table, column: str) -> Floats:
        """A column's vectors, shape (rows or rows x list length, d)."""
        return self._flat(table, column).reshape(-1, self.header.embedding_dim)

    def _flat(self, table: pa.Table, column: str) -> Floats:
        """A column's numbers, as a view of the mapped file."""
        values = table[column].chunk(0)
        while not pa.types.is_floating(values.type):
            values = values.flatten()
        flat: Floats = values.to_numpy(zero_copy_only=True)
        return flat


def _stamps(folder: Path) -> dict[str, tuple[int, ...]]:
    """Inode, size and time of change of each file that is there."""
    found: dict[str, tuple[int, ...]] = {}
    for name in (HEADER, CLIPS, CLASSES):
        with suppress(FileNotFoundError):
            about = (folder / name).stat()
            found[name] = about.st_ino, about.st_size, about.st_mtime_ns
    return found


def _map(file: Path) -> pa.Table:
    try:
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        table.validate()
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BankError(f"{file}: truncated, or not an Arrow IPC file ({reason}); write the bank again") from None
    if table.num_rows and table.column(0).num_chunks > 1:
        raise BankError(
            f"{file}: {table.column(0).num_chunks} record batches, where a bank has one, to be read without a "
            "copy; write it again from pyarrow.Table.combine_chunks()"
        )
    return table
