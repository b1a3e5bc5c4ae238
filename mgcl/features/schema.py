"""The columns of a feature bank, and the checks that refuse a wrong one by file, column and row."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mgcl.errors import BankError
from mgcl.records import logit_scale_fault

FORMAT = 1
CLIPS, CLASSES, HEADER = "clips.arrow", "classes.arrow", "bank.json"

MEL_STATISTICS = "mel_statistics"
"""A column that a bank may have: what a classifier without a backbone can go by, as `extract` writes it."""

CAPTION = ("caption", "caption_embedding")
"""Columns that a bank without captions lacks, both of them."""

_NULLABLE = {"fold", "source"}


@dataclass(frozen=True)
class Header:
    """What ``bank.json`` says of a bank.

    Attributes:
        dataset: the data set's name; decides the folds and the episodes.
        revision: of the data set.
        licence: of the data set.
        backbone: the backbone's name.
        embedding_dim: d.
        logit_scale: the multiplier of the contrast, already exponentiated, in ``LOGIT_SCALES``.
        sample_rate: in Hz, as the backbone heard the clips.
        seconds: length of the window that the segments cover.
        segments: time steps a clip.
    """

    dataset: str
    revision: str
    licence: str
    backbone: str
    embedding_dim: int
    logit_scale: float
    sample_rate: int
    seconds: float
    segments: int

    def to_json(self) -> dict[str, Any]:
        """The content of ``bank.json``."""
        return {
            "format": FORMAT,
            "dataset": {"name": self.dataset, "revision": self.revision, "licence": self.licence},
            "backbone": {
                "name": self.backbone,
                "embedding_dim": self.embedding_dim,
                "logit_scale": self.logit_scale,
            },
            "audio": {"sample_rate": self.sample_rate, "seconds": self.seconds, "segments": self.segments},
        }


def parse_header(text: str, file: str) -> Header:
    """Read ``bank.json``; keys beyond the format's own are allowed and ignored.

    Raises:
        BankError: not JSON, another format, a key missing or of the wrong type, or a value out of range.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BankError(f"{file}: not JSON ({error}); write the bank again") from None
    try:
        if content["format"] != FORMAT:
            raise BankError(f"{file}: format {content['format']!r}; this mgcl reads format {FORMAT}")
        dataset, backbone, audio = content["dataset"], content["backbone"], content["audio"]
        header = Header(
            dataset=_typed(dataset, "name", str),
            revision=_typed(dataset, "revision", str),
            licence=_typed(dataset, "licence", str),
            backbone=_typed(backbone, "name", str),
            embedding_dim=_typed(backbone, "embedding_dim", int),
            logit_scale=float(_typed(backbone, "logit_scale", int, float)),
            sample_rate=_typed(audio, "sample_rate", int),
            seconds=float(_typed(audio, "seconds", int, float)),
            segments=_typed(audio, "segments", int),
        )
    except KeyError as error:
        raise BankError(f"{file}: key {error} is missing; write the bank again") from None
    except TypeError as error:
        raise BankError(f"{file}: a value has the wrong type ({error}); write the bank again") from None
    check_header(header, file)
    return header


def _typed(section: dict[str, Any], key: str, *kinds: type) -> Any:
    value = section[key]
    if type(value) not in kinds:
        raise TypeError(f"{key} is {value!r}")
    return value


def check_header(header: Header, file: str) -> None:
    """Refuse values out of range, by name."""
    if fault := logit_scale_fault(header.logit_scale):
        raise BankError(f"{file}: backbone.logit_scale is {fault}")
    for name in ("embedding_dim", "sample_rate", "seconds", "segments"):
        value = getattr(header, name)
        if not 0 < value < float("inf"):
            raise BankError(f"{file}: {name} is {value}; it must be positive")
    if not header.dataset or not header.backbone:
        raise BankError(f"{file}: dataset.name and backbone.name must not be empty")


def vector(d: int) -> pa.DataType:
    """One embedding."""
    return pa.list_(pa.float32(), d)


def clips_schema(d: int, *, captioned: bool = True) -> pa.Schema:
    """The columns of ``clips.arrow``, in order."""
    columns = {
        "clip_id": pa.string(),
        "label": pa.string(),
        "fold": pa.int8(),
        "caption": pa.string(),
        "source": pa.string(),
        "clip_embedding": vector(d),
        "caption_embedding": vector(d),
        "segment_embeddings": pa.list_(vector(d)),
    }
    return pa.schema({name: kind for name, kind in columns.items() if captioned or name not in CAPTION})


def is_captioned(clips: pa.Table) -> bool:
    """Whether a table of clips has captions, or at least one of their columns: then it must have both."""
    return any(name in clips.column_names for name in CAPTION)


def classes_schema(d: int) -> pa.Schema:
    """The columns of ``classes.arrow``, in order."""
    return pa.schema(
        {
            "label": pa.string(),
            "prompt": pa.string(),
            "prompt_embedding": vector(d),
            "explanations": pa.list_(pa.string()),
            "explanation_embeddings": pa.list_(vector(d)),
        }
    )


def check_tables(clips: pa.Table, classes: pa.Table, header: Header, folder: str) -> None:
    """Refuse tables that are not a bank of this header.

    Raises:
        BankError: a column is missing or of the wrong type, a value is null or not finite, a list has the wrong
            length, an id or label stands twice, or a label has no class row; names file, column and row.
    """
    clips_file, classes_file = f"{folder}/{CLIPS}", f"{folder}/{CLASSES}"
    for table, schema, file in (
        (clips, clips_schema(header.embedding_dim, captioned=is_captioned(clips)), clips_file),
        (classes, classes_schema(header.embedding_dim), classes_file),
    ):
        _check_columns(table, schema, file)
        _check_values(table, file)
    if MEL_STATISTICS in clips.column_names:
        found = clips.schema.field(MEL_STATISTICS).type
        if not (pa.types.is_fixed_size_list(found) and found.value_type == pa.float32()):
            raise BankError(
                f"{clips_file}: column {MEL_STATISTICS!r} is {found}; it should be fixed-size lists of float"
            )
    _check_lengths(clips, "segment_embeddings", header.segments, clips_file)
    sentences = len(classes["explanations"][0])
    if sentences == 0:
        raise BankError(f"{classes_file}: column 'explanations', row 0: a class needs at least one explanation")
    for column in ("explanations", "explanation_embeddings"):
        _check_lengths(classes, column, sentences, classes_file)
    _check_unique(clips, "clip_id", clips_file)
    _check_unique(classes, "label", classes_file)
    known = set(classes["label"].to_pylist())
    for row, label in enumerate(clips["label"].to_pylist()):
        if label not in known:
            raise BankError(f"{clips_file}: column 'label', row {row}: {label!r} has no row in {CLASSES}")


def _check_columns(table: pa.Table, schema: pa.Schema, file: str) -> None:
    if table.num_rows == 0:
        raise BankError(f"{file}: no rows")
    for field in schema:
        if field.name not in table.column_names:
            raise BankError(f"{file}: column {field.name!r} is missing; its type is {field.type}")
        found = table.schema.field(field.name).type
        if found != field.type:
            raise BankError(f"{file}: column {field.name!r} is {found}, where bank.json asks for {field.type}")


def _check_values(table: pa.Table, file: str) -> None:
    for name in table.column_names:
        if name not in _NULLABLE:
            column = table[name]  # combining even a single chunk copies it
            for row, reason in _wrong_value(column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()):
                raise BankError(f"{file}: column {name!r}, row {row}: {reason}")


def _wrong_value(array: pa.Array) -> Iterator[tuple[int, str]]:
    """The first row that holds a null, a NaN or an infinity, at any depth; nothing if all is well."""
    if array.null_count:
        yield pc.index(pc.is_null(array), True).as_py(), "a value is null"
    elif pa.types.is_list(array.type):
        for index, reason in _wrong_value(array.flatten()):
            yield int(np.searchsorted(array.offsets, index, side="right")) - 1, reason
    elif pa.types.is_fixed_size_list(array.type):
        for index, reason in _wrong_value(array.flatten()):
            yield index // array.type.list_size, reason
    elif pa.types.is_floating(array.type):
        index = pc.index(pc.is_finite(array), False).as_py()
        if index >= 0:
            yield index, "a number is NaN or infinite"


def _check_lengths(table: pa.Table, column: str, length: int, file: str) -> None:
    lengths = pc.list_value_length(table[column]).to_numpy()
    for row in np.flatnonzero(lengths != length)[:1]:
        raise BankError(
            f"{file}: column {column!r}, row {row}: {lengths[row]} entries, where every row has {length}; "
            "a ragged bank cannot be read"
        )


def _check_unique(table: pa.Table, column: str, file: str) -> None:
    values = table[column].to_pylist()
    value, count = Counter(values).most_common(1)[0]
    if count > 1:
        row = len(values) - 1 - values[::-1].index(value)
        raise BankError(f"{file}: column {column!r}, row {row}: {value!r} stands {count} times")
