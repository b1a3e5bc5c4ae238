"""The feature bank: opened by memory map, read without a copy, named by its content."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
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
    check_header,
    check_tables,
    classes_schema,
    clips_schema,
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
    """

    path: Path
    header: Header
    clips: pa.Table
    classes: pa.Table

    @classmethod
    def open(cls, path: str | Path) -> "FeatureBank":
        """Map a bank's files and check every value once.

        Raises:
            BankError: a file is missing, truncated, or not a bank; names file, column and row.
        """
        folder = Path(path).absolute()
        if not folder.is_dir():
            raise BankError(f"{folder}: no such feature bank; make one with `mgcl bank import`")
        for name in (HEADER, CLIPS, CLASSES):
            if not (folder / name).is_file():
                raise BankError(f"{folder / name}: missing; a feature bank is {HEADER}, {CLIPS} and {CLASSES}")
        try:
            text = (folder / HEADER).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise BankError(f"{folder / HEADER}: not a text file; write the bank again") from None
        header = parse_header(text, str(folder / HEADER))
        clips, classes = _map(folder / CLIPS), _map(folder / CLASSES)
        check_tables(clips, classes, header, str(folder))
        return cls(folder, header, clips, classes)

    @cached_property
    def clip_embeddings(self) -> Floats:
        """Shape (clips, d)."""
        return self._matrix(self.clips, "clip_embedding")

    @cached_property
    def caption_embeddings(self) -> Floats:
        """Shape (clips, d)."""
        return self._matrix(self.clips, "caption_embedding")

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
    def captions_naming_class(self) -> float:
        """The share of captions that contain a word of their class's name, 0..1."""
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
        for table, schema in ((self.clips, clips_schema(d)), (self.classes, classes_schema(d))):
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


def write_bank(
    path: str | Path,
    header: Header,
    *,
    clip_ids: Sequence[str],
    labels: Sequence[str],
    captions: Sequence[str],
    clip_embeddings: Floats,
    caption_embeddings: Floats,
    segment_embeddings: Floats,
    classes: Sequence[str],
    prompts: Sequence[str],
    prompt_embeddings: Floats,
    explanations: Sequence[Sequence[str]],
    explanation_embeddings: Floats,
    folds: Sequence[int | None] | None = None,
    sources: Sequence[str | None] | None = None,
    mel_statistics: Floats | None = None,
) -> FeatureBank:
    """Write a bank, whole or not at all, and open it.

    Args:
        path: the folder to make; must not exist.
        header: sizes must agree with the arrays.
        clip_ids: one a clip; so are labels, captions, folds and sources.
        labels: each must be among ``classes``.
        captions: one sentence a clip.
        clip_embeddings: shape (clips, d).
        caption_embeddings: shape (clips, d).
        segment_embeddings: shape (clips, segments, d).
        classes: one label a class.
        prompts: one sentence a class.
        prompt_embeddings: shape (classes, d).
        explanations: shape (classes, n_e).
        explanation_embeddings: shape (classes, n_e, d).
        folds: the data set's own clip folds, informative; None: not known.
        sources: the recordings that clips were cut from; None: not known.
        mel_statistics: shape (clips, statistics); None: the bank has none.

    Raises:
        BankError: the folder exists, or the content is not a bank.
    """
    target, d = Path(path).absolute(), header.embedding_dim
    if target.exists():
        raise BankError(f"{target}: exists already; name another folder, or remove it first")
    count = len(clip_ids)
    clips = {
        "clip_id": pa.array(clip_ids, pa.string()),
        "label": pa.array(labels, pa.string()),
        "fold": pa.array(folds or [None] * count, pa.int8()),
        "caption": pa.array(captions, pa.string()),
        "source": pa.array(sources or [None] * count, pa.string()),
        "clip_embedding": _vectors(clip_embeddings, d, "clip_embeddings"),
        "caption_embedding": _vectors(caption_embeddings, d, "caption_embeddings"),
        "segment_embeddings": _lists(segment_embeddings, d, "segment_embeddings"),
    }
    texts = {
        "label": pa.array(classes, pa.string()),
        "prompt": pa.array(prompts, pa.string()),
        "prompt_embedding": _vectors(prompt_embeddings, d, "prompt_embeddings"),
        "explanations": pa.array(list(map(list, explanations)), pa.list_(pa.string())),
        "explanation_embeddings": _lists(explanation_embeddings, d, "explanation_embeddings"),
    }
    schema = clips_schema(d)
    if mel_statistics is not None:
        clips[MEL_STATISTICS] = _vectors(mel_statistics, mel_statistics.shape[-1], MEL_STATISTICS)
        schema = schema.append(pa.field(MEL_STATISTICS, clips[MEL_STATISTICS].type))
    tables = _table(clips, schema, CLIPS), _table(texts, classes_schema(d), CLASSES)
    check_header(header, str(target / HEADER))
    check_tables(*tables, header, str(target))
    _write(target, header, *tables)
    return FeatureBank.open(target)


def _write(target: Path, header: Header, clips: pa.Table, classes: pa.Table) -> None:
    """Write into a folder beside the target, then rename: a reader sees the whole bank or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for table, name in ((clips, CLIPS), (classes, CLASSES)):
            with pa.ipc.new_file(draft / name, table.schema) as writer:
                writer.write_table(table)
        (draft / HEADER).write_text(json.dumps(header.to_json(), indent=1) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


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


def _vectors(array: Floats, d: int, name: str) -> pa.Array:
    if array.ndim < 2 or array.shape[-1] != d:
        raise BankError(f"{name}: shape {array.shape}, where the last dimension should be d = {d}")
    flat = np.ascontiguousarray(array, dtype=np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), d)


def _lists(array: Floats, d: int, name: str) -> pa.Array:
    if array.ndim != 3:
        raise BankError(f"{name}: shape {array.shape}, where three dimensions (rows, entries, d) are needed")
    rows, entries, _ = array.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * entries)
    return pa.ListArray.from_arrays(offsets, _vectors(array, d, name))


def _table(columns: dict[str, pa.Array], schema: pa.Schema, file: str) -> pa.Table:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BankError(f"{file}: columns of different lengths: {lengths}")
    return pa.table(columns, schema=schema)
