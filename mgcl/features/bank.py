"""The feature bank: its columns by name, mapped and not copied; its digest, which names its content."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from mgcl.errors import BankError
from mgcl.features.checks import check_bank
from mgcl.features.columns import Event, Floats, Numbers, Ragged, as_float32, read_column
from mgcl.features.digest import digest
from mgcl.features.header import Header, parse_header
from mgcl.features.schema import CLASSES, CLIP_COLUMNS, CLIPS, HEADER, NAMED, columns_of
from mgcl.language.captions import names_its_class
from mgcl.records import Clip


@dataclass(frozen=True, eq=False)
class FeatureBank:
    """A backbone's outputs for one data set. Arrays are read-only views of the files.

    Attributes:
        path: its folder.
        header: the content of ``bank.json``.
        clips: the table of ``clips.arrow``, one row per clip.
        classes: the table of ``classes.arrow``, one row per class.
        stamps: inode, size and time of change of each file when it was opened.
    """

    path: Path
    header: Header
    clips: pa.Table
    classes: pa.Table
    stamps: Mapping[str, tuple[int, ...]]

    @classmethod
    def open(cls, path: str | Path, *, checked: bool = False) -> "FeatureBank":
        """Map a bank's files and check every value once.

        Args:
            path: its folder.
            checked: whether the values were checked just now, while they were written.

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
        if not checked:
            check_bank(clips, classes, header, str(folder))
        return cls(folder, header, clips, classes, stamps)

    def check_unchanged(self) -> None:
        """Refuse a bank whose files were written over: that changes what is mapped, while a deleted file stays mapped.

        Raises:
            BankError: a file is not the one that was opened.
        """
        if not _stamps(self.path).items() <= self.stamps.items():
            raise BankError(
                f"{self.path}: changed while it was in use; put it back, or start again with what it is now"
            )

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of what it has, as ``mgcl.features.schema`` lists them; a column of clips or of classes."""
        tables = ((CLIPS, self.clips), (CLASSES, self.classes))
        found = (each for file, table in tables for each in columns_of(file, table, self.header.format))
        return tuple(dict.fromkeys(each.called for each in found))

    def lacks(self, names: Iterable[str]) -> tuple[str, ...]:
        """Which of some columns it does not have, in their order; none: whatever reads them can run.

        Raises:
            BankError: a name is no column's.
        """
        asked = tuple(names)
        for name in asked:
            if name not in NAMED:
                raise BankError(f"{name!r} is no column of a bank; there are: {', '.join(NAMED)}")
        return tuple(name for name in asked if name not in self.columns)

    def column(self, name: str) -> Numbers | Ragged:
        """A column's vectors, as a view of the mapped file, in the type that it holds: float32 or float16.

        Args:
            name: "clip", "segments", "caption", "captions", "audio", "video" or "mel_statistics" of clips; "prompt",
                "explanations" or "word_vector" of classes.

        Returns:
            Shape (rows, dimension) of one vector per row, (rows, entries, dimension) where each row has as many, else
            ``Ragged``.

        Raises:
            BankError: there is no such column, or this bank lacks it.
        """
        self._require(name)
        column = NAMED[name]
        if not column.holds_vectors:
            raise BankError(f"{name!r} holds no vectors; read it from the tables `clips` and `classes`")
        return read_column(self.clips if column in CLIP_COLUMNS else self.classes, column)

    def floats(self, name: str) -> Floats:
        """A column with as many vectors in each row, as float32: a view where the bank holds float32, else a copy.

        Raises:
            BankError: this bank lacks it, or it is ragged.
        """
        values = self.column(name)
        if isinstance(values, Ragged):
            raise BankError(f"{name!r} is ragged; read its rows from FeatureBank.ragged")
        return as_float32(values)

    def ragged(self, name: str) -> Ragged:
        """A column whose rows have any number of vectors, in the type that the bank holds.

        Raises:
            BankError: this bank lacks it, or each of its rows has as many.
        """
        values = self.column(name)
        if not isinstance(values, Ragged):
            raise BankError(f"{name!r} is not ragged; read it from FeatureBank.floats")
        return values

    @cached_property
    def clip_embeddings(self) -> Floats:
        """Shape (clips, d)."""
        return self.floats("clip")

    @property
    def captioned(self) -> bool:
        """Whether each of its clips has one caption."""
        return not self.lacks(["caption"])

    @cached_property
    def caption_embeddings(self) -> Floats | None:
        """Shape (clips, d); None: this bank has no captions."""
        return self.floats("caption") if self.captioned else None

    @cached_property
    def segment_embeddings(self) -> Floats:
        """Shape (clips, segments, d)."""
        return self.floats("segments")

    @cached_property
    def prompt_embeddings(self) -> Floats:
        """Shape (classes, d)."""
        return self.floats("prompt")

    @cached_property
    def explanation_embeddings(self) -> Floats:
        """Shape (classes, explanations, d)."""
        return self.floats("explanations")

    @cached_property
    def mel_statistics(self) -> Floats | None:
        """Shape (clips, statistics); None: this bank has none."""
        return None if self.lacks(["mel_statistics"]) else self.floats("mel_statistics")

    @cached_property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """The classes of each clip, in row order; none of any clip where a bank has no labels."""
        if not self.lacks(["labels"]):
            return tuple(tuple(labels) for labels in self.clips["labels"].to_pylist())
        if not self.lacks(["label"]):
            return tuple((label,) for label in self.clips["label"].to_pylist())
        return ((),) * len(self.clips)

    @cached_property
    def events(self) -> tuple[tuple[Event, ...], ...]:
        """What sounds in each clip, in row order.

        Raises:
            BankError: this bank lacks events.
        """
        self._require("events")
        return tuple(tuple(Event(**each) for each in row) for row in self.clips["events"].to_pylist())

    @cached_property
    def captions_naming_class(self) -> float | None:
        """The share of captions that contain a word of their class's name, 0..1; None: it lacks captions or labels."""
        if self.lacks(["caption", "label"]):
            return None
        pairs = zip(self.clips["caption"].to_pylist(), self.clips["label"].to_pylist(), strict=True)
        return float(np.mean([names_its_class(*pair) for pair in pairs]))

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
        """The id, label and source of each clip, in row order.

        Raises:
            BankError: the bank has no column ``label``: its clips may have several classes, or none.
        """
        self._require("label")
        columns = (self.clips[name].to_pylist() for name in ("clip_id", "label", "source"))
        return tuple(Clip(*row) for row in zip(*columns, strict=True))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: the header and every column's values, however the files lay them out."""
        return digest(self.header, self.clips, self.classes)

    def _require(self, name: str) -> None:
        for missing in self.lacks([name]):
            raise BankError(f"{self.path}: this bank lacks column {missing!r}; {NAMED[missing].mend}")


def _stamps(folder: Path) -> dict[str, tuple[int, ...]]:
    """The inode, size and time of change of each file that is there."""
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
