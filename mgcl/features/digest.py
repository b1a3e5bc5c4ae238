"""The digest of a bank's content, which is part of the key of every trial on the bank."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from mgcl.features.columns import Numbers, Ragged, read_column
from mgcl.features.header import Header
from mgcl.features.schema import CLASSES, CLIPS, COLUMNS, Column, columns_of
from mgcl.records import canonical_json

_BLOCK = 1 << 24
"""Bytes that are hashed twice while they lie in memory."""


def digest(header: Header, clips: pa.Table, classes: pa.Table) -> str:
    """SHA-256 of the header and of the values of all columns, whatever the layout of the files.

    Content that FORMAT 1 can hold has the digest of FORMAT 1, in whatever format it is written, so that recorded trials
    remain valid for their bank.
    """
    return _digest(identity(header, clips, classes), header, {CLIPS: clips, CLASSES: classes})


def shard_digest(header: Header, clips: pa.Table) -> str:
    """SHA-256 of the names, types and values of the columns of a shard of clips. Every value is read."""
    return _digest({CLIPS: _types(CLIPS, clips, header)}, header, {CLIPS: clips})


def digest_of_shards(header: Header, clips: pa.Table, classes: pa.Table, shards: Sequence[str]) -> str:
    """SHA-256 of the header, of the values of classes, and of the digests of the shards. No value of a clip is read.

    Args:
        header: header of the bank.
        clips: table of any shard, of which the names and types of the columns count.
        classes: table of ``classes.arrow``.
        shards: digests of the shards of clips, in order.
    """
    about = {**identity(header, clips, classes), "shards": list(shards)}
    return _digest(about, header, {CLASSES: classes})


def digest_with_columns(header: Header, clips: pa.Table, classes: pa.Table) -> tuple[str, dict[str, dict[str, str]]]:
    """Return the digest, and file -> column -> SHA-256 of the column's values. Every value is read once."""
    whole = hashlib.sha256(canonical_json(identity(header, clips, classes)).encode())
    columns: dict[str, dict[str, str]] = {CLIPS: {}, CLASSES: {}}
    for file, column, pieces in _content(header, {CLIPS: clips, CLASSES: classes}):
        whole.update(column.encode())
        own = hashlib.sha256()
        for piece in pieces:
            for start in range(0, len(piece), _BLOCK):
                whole.update(piece[start : start + _BLOCK])
                own.update(piece[start : start + _BLOCK])
        columns[file][column] = own.hexdigest()
    return whole.hexdigest(), columns


def identity(header: Header, clips: pa.Table, classes: pa.Table) -> dict[str, Any]:
    """What the digest holds besides values. No value is read.

    It is the header in FORMAT 1. If the content does not fit FORMAT 1, the columns and their types are added.
    """
    tables = {CLIPS: clips, CLASSES: classes}
    there = {file: columns_of(file, table, header.format) for file, table in tables.items()}
    old = replace(header, format=1).to_json()
    if _fits_format_1(header, tables, there):
        return old
    return {**old, "format": 2, "columns": {file: _types(file, table, header) for file, table in tables.items()}}


def _digest(about: Mapping[str, Any], header: Header, tables: Mapping[str, pa.Table]) -> str:
    """SHA-256 of a description and of the values of tables, by file."""
    hasher = hashlib.sha256(canonical_json(about).encode())
    for _, column, pieces in _content(header, tables):
        hasher.update(column.encode())
        for piece in pieces:
            hasher.update(piece)
    return hasher.hexdigest()


def _content(header: Header, tables: Mapping[str, pa.Table]) -> Iterator[tuple[str, str, Iterator[memoryview]]]:
    """Yield every column's file, its name and its values as bytes, in the order in which they are hashed."""
    columns = [(file, each) for file, table in tables.items() for each in columns_of(file, table, header.format)]
    # FORMAT 1 hashed mel statistics last, after the columns of classes
    for file, column in sorted(columns, key=lambda each: each[1].stored == "mel_statistics"):
        yield file, column.stored, _pieces(tables[file], column)


def _pieces(table: pa.Table, column: Column) -> Iterator[memoryview]:
    if not column.holds_vectors:
        yield memoryview(canonical_json(table[column.stored].to_pylist()).encode())
        return
    for array in _arrays(read_column(table, column)):
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _fits_format_1(header: Header, tables: dict[str, pa.Table], there: dict[str, tuple[Column, ...]]) -> bool:
    required = {(file, each) for file, columns in COLUMNS.items() for each in columns if 1 in each.required_in}
    found = {(file, each) for file, columns in there.items() for each in columns}
    return (
        not header.tokens
        and required <= found
        and all(each.since == 1 and "float16" not in _about(tables[file], each) for file, each in found)
    )


def _types(file: str, table: pa.Table, header: Header) -> dict[str, list[Any]]:
    return {each.stored: _about(table, each) for each in columns_of(file, table, header.format)}


def _about(table: pa.Table, column: Column) -> list[Any]:
    """Return a column's kind, and for vectors also their number type and dimension."""
    if not column.holds_vectors:
        return [column.kind]
    vector = table.schema.field(column.stored).type
    while pa.types.is_list(vector):
        vector = vector.value_type
    return [column.kind, np.dtype(vector.value_type.to_pandas_dtype()).name, vector.list_size]


def _arrays(values: Numbers | Ragged) -> tuple[Any, ...]:
    """Return the arrays to hash, in little-endian order. For ragged columns the offsets come first, beginning at 0."""
    if isinstance(values, Ragged):
        first, last = values.offsets[0], values.offsets[-1]
        return (values.offsets - first).astype("<i8"), *_arrays(values.values[first:last])
    return (values.astype(values.dtype.newbyteorder("<"), copy=False),)
