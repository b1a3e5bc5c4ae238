"""The feature bank: columns by name, mapped and not copied, and the digest of the content."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from mgcl.errors import BankError, among
from mgcl.events import Event
from mgcl.features.checks import check_bank
from mgcl.features.columns import Floats, Numbers, Ragged, joined, read_column, shared_texts
from mgcl.features.gathered import Gathered, Vectors, float32_rows
from mgcl.features.hashes import Hashes, check_hashes, hash_content, hash_shards, write_hashes
from mgcl.features.header import Header
from mgcl.features.opening import check_digests, open_files, stamp
from mgcl.features.ranges import RemoteRows
from mgcl.features.schema import CLASSES, CLIP_COLUMNS, CLIPS, HEADER, NAMED, columns_of
from mgcl.features.shards import Shard
from mgcl.language.captions import names_its_class
from mgcl.records import Clip


@dataclass(frozen=True, eq=False)
class FeatureBank:
    """A backbone's outputs for one data set. Arrays are read-only views of the files.

    Attributes:
        path: folder of the bank.
        header: content of ``bank.json``.
        files: name of a file of clips -> its table: ``clips.arrow``, or the shards in order.
        classes: table of ``classes.arrow``, one row per class.
        stamps: inode, size and time of change of the files when the bank was opened, by file name.
        recorded: digest that was recorded for these very files; None: there is none, so that it is computed on use.
        shards: what is known of the shards, in order; empty: the bank has one file of clips.
        remote: reads the vectors that are still on storage; None: all are here.
    """

    path: Path
    header: Header
    files: Mapping[str, pa.Table]
    classes: pa.Table
    stamps: Mapping[str, tuple[int, ...]]
    recorded: str | None = None
    shards: tuple[Shard, ...] = ()
    remote: RemoteRows | None = None

    @classmethod
    def open(cls, path: str | Path, *, checked: bool = False) -> "FeatureBank":
        """Map a bank's files and check them.

        Numbers of vectors are read only if the folder has no hashes that were recorded for these very files
        (``mgcl.features.hashes``); all else is checked in either case.

        Args:
            path: folder of the bank.
            checked: whether the content was checked already, when it was written; it is not checked again.

        Raises:
            BankError: a file is missing, truncated, or not one of a bank; names the file, column and row.
        """
        folder = Path(path).absolute()
        found = open_files(folder, checked=checked)
        return cls(folder, **vars(found))

    @cached_property
    def clips(self) -> pa.Table:
        """Table of clips, all files one after another, not copied; read vectors with ``column``, which fetches them."""
        return pa.concat_tables(self.files.values())

    def check_unchanged(self) -> None:
        """Refuse a bank whose files were changed since it was opened, because mapped values change with them.

        A deleted file stays mapped and is accepted.

        Raises:
            BankError: a file was replaced or changed.
        """
        if not stamp(self.path, () if self.remote else self.files).items() <= self.stamps.items():
            raise BankError(
                f"{self.path}: changed while it was in use; put it back, or start again with what it is now"
            )

    def verify(self) -> bool:
        """Read every value: check it, compare its hashes with the recorded ones, and record them if need be.

        Returns:
            Whether there were recorded hashes to compare with.

        Raises:
            BankError: a value is wrong or is not what was recorded; names the file and column.
            OSError: hashes are to be recorded, and the folder cannot be written.
        """
        if self.remote:
            raise BankError(f"{self.path}: has only the rows that were in use; check the bank at {self.remote.address}")
        check_bank(self.files, self.classes, self.header, str(self.path))
        if self.shards:
            check_digests(self.files, self.shards, self.header, self.path, self.files)
        found = self._hashes
        known = check_hashes(self.path, found)
        self.check_unchanged()
        if self.recorded is None:
            write_hashes(self.path, found, self.files)
        return known

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the bank's columns, of clips and of classes, as in ``mgcl.features.schema``."""
        tables = ((CLIPS, next(iter(self.files.values()))), (CLASSES, self.classes))
        found = (each for file, table in tables for each in columns_of(file, table, self.header.format))
        return tuple(dict.fromkeys(each.called for each in found))

    def lacks(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the named columns that the bank lacks, in the given order; empty: it has all of them.

        Raises:
            BankError: there is no column of this name.
        """
        asked = tuple(names)
        for name in asked:
            if name not in NAMED:
                raise BankError(f"{name!r} is no column of a bank; {among(name, NAMED)}")
        return tuple(name for name in asked if name not in self.columns)

    def column(self, name: str) -> Numbers | Gathered | Ragged:
        """Return a column's vectors in the file's type, float32 or float16: a view of the mapped file.

        Of clips in shards it is ``Gathered``, whose rows are read when they are asked for.

        Args:
            name: "clip", "segments", "caption", "captions", "audio", "video" or "mel_statistics" of clips; "prompt",
                "explanations" or "word_vector" of classes.

        Returns:
            An array of shape (rows, dimension) for one vector per row, of shape (rows, entries, dimension) for equally
            many vectors per row, else ``Ragged``.

        Raises:
            BankError: there is no such column, it holds no vectors, or this bank lacks it.
        """
        self._require(name)
        column = NAMED[name]
        if not column.holds_vectors:
            raise BankError(f"{name!r} holds no vectors; read it from the tables `clips` and `classes`")
        if column not in CLIP_COLUMNS:
            return read_column(self.classes, column)
        parts = [read_column(table, column) for table in self.files.values()]
        if not self.shards:
            return parts[0]
        return self.remote.filled(column, joined(parts)) if self.remote else joined(parts)

    def vectors(self, name: str) -> Vectors:
        """Return a column of clips that is not ragged, as float32 rows.

        It is an array that views the file, or, of clips in shards or in float16, ``Gathered``: index it by rows.

        Raises:
            BankError: there is no such column, it holds no vectors, this bank lacks it, or it is ragged.
        """
        values = self.column(name)
        if isinstance(values, Ragged):
            raise BankError(f"{name!r} is ragged; read its rows from FeatureBank.ragged")
        return float32_rows(values)

    def floats(self, name: str) -> Floats:
        """Return a column that is not ragged, as float32: a view if the bank holds float32, else a copy of all rows.

        Raises:
            BankError: there is no such column, it holds no vectors, this bank lacks it, or it is ragged.
        """
        return np.asarray(self.vectors(name))

    def ragged(self, name: str) -> Ragged:
        """Return a ragged column, whose rows have any number of vectors, in the file's type.

        Raises:
            BankError: there is no such column, it holds no vectors, this bank lacks it, or it is not ragged.
        """
        values = self.column(name)
        if not isinstance(values, Ragged):
            raise BankError(f"{name!r} is not ragged; read it from FeatureBank.floats")
        return values

    @cached_property
    def clip_embeddings(self) -> Vectors:
        """Clip embeddings, shape (clips, d)."""
        return self.vectors("clip")

    @property
    def captioned(self) -> bool:
        """Whether the bank has one caption per clip."""
        return not self.lacks(["caption"])

    @cached_property
    def caption_embeddings(self) -> Vectors | None:
        """Caption embeddings, shape (clips, d); None: the bank does not have one caption per clip."""
        return self.vectors("caption") if self.captioned else None

    @cached_property
    def segment_embeddings(self) -> Vectors:
        """Segment embeddings, shape (clips, segments, d)."""
        return self.vectors("segments")

    @cached_property
    def prompt_embeddings(self) -> Floats:
        """Embeddings of the classes' prompts, shape (classes, d)."""
        return self.floats("prompt")

    @cached_property
    def explanation_embeddings(self) -> Floats:
        """Embeddings of the classes' explanations, shape (classes, explanations, d)."""
        return self.floats("explanations")

    @cached_property
    def mel_statistics(self) -> Vectors | None:
        """Mel statistics of the clips, shape (clips, statistics); None: the bank has none."""
        return None if self.lacks(["mel_statistics"]) else self.vectors("mel_statistics")

    @cached_property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Classes of the clips, in row order: their labels, else their label, else those of their events, else none."""
        if not self.lacks(["labels"]):
            return tuple(tuple(labels) for labels in self.clips["labels"].to_pylist())
        if not self.lacks(["label"]):
            return tuple((label,) for label in shared_texts(self.clips["label"]))
        if not self.lacks(["events"]):
            return tuple(tuple(sorted({event.label for event in row})) for row in self.events)
        return ((),) * len(self.clips)

    @cached_property
    def events(self) -> tuple[tuple[Event, ...], ...]:
        """Events of the clips, in row order.

        Raises:
            BankError: the bank has no events.
        """
        self._require("events")
        return tuple(tuple(Event(**each) for each in row) for row in self.clips["events"].to_pylist())

    @cached_property
    def captions_naming_class(self) -> float | None:
        """Share of captions with a word of their class's name, 0..1; None: the bank lacks captions or labels."""
        if self.lacks(["caption", "label"]):
            return None
        named = 0
        for table in self.files.values():  # one by one, as sentences of a million clips fill memory
            pairs = zip(table["caption"].to_pylist(), table["label"].to_pylist(), strict=True)
            named += sum(names_its_class(*pair) for pair in pairs)
        return named / len(self.clips)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Clip id -> reason, for clips that extraction left out; empty if the bank was not made by extraction."""
        content = json.loads((self.path / HEADER).read_text(encoding="utf-8"))
        return dict(content.get("extraction", {}).get("left_out", {}))

    @cached_property
    def row_of_clip(self) -> dict[str, int]:
        """Clip id -> row in the arrays of clips."""
        return {clip_id: row for row, clip_id in enumerate(self._clip_ids)}

    @cached_property
    def row_of_class(self) -> dict[str, int]:
        """Label -> row in the arrays of classes."""
        return {label: row for row, label in enumerate(self.classes["label"].to_pylist())}

    @cached_property
    def clip_records(self) -> tuple[Clip, ...]:
        """Id, label, source and fold of the clips, in row order.

        Raises:
            BankError: the bank has no column ``label``, because its clips may have several classes or none.
        """
        self._require("label")
        columns = self._clip_ids, *(shared_texts(self.clips[name]) for name in ("label", "source"))
        return tuple(Clip(*row) for row in zip(*columns, self.clips["fold"].to_pylist(), strict=True))

    @cached_property
    def _clip_ids(self) -> list[str]:
        return list(self.clips["clip_id"].to_pylist())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: the header and the values of all columns. See ``mgcl.features.digest``."""
        return self.recorded or self._hashes.digest

    @property
    def _hashes(self) -> Hashes:
        if self.shards:
            return hash_shards(self.header, self.clips, self.classes, self.shards)
        return hash_content(self.header, self.clips, self.classes)

    def _require(self, name: str) -> None:
        for missing in self.lacks([name]):
            raise BankError(f"{self.path}: this bank lacks column {missing!r}; {NAMED[missing].mend}")
