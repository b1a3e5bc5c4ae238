"""The digest of a bank's content, which is part of the key of every trial on the bank."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from mgcl.features.columns import Numbers, Ragged, read_column
from mgcl.features.header import Header
from mgcl.features.schema import CLASSES, CLIPS, COLUMNS, Column, columns_of
from mgcl.records import canonical_json


def digest(header: Header, clips: pa.Table, classes: pa.Table) -> str:
    """SHA-256 of the header and of the values of all columns, whatever the layout of the files.

    Content that FORMAT 1 can hold has the digest of FORMAT 1, in whatever format it is written, so that recorded trials
    remain valid for their bank.
    """
    tables = {CLIPS: clips, CLASSES: classes}
    there = {file: columns_of(file, table, header.format) for file, table in tables.items()}
    hasher = hashlib.sha256(canonical_json(_identity(header, tables, there)).encode())
    columns = [(tables[file], column) for file, columns in there.items() for column in columns]
    # FORMAT 1 hashed mel statistics last, after the columns of classes
    for table, column in sorted(columns, key=lambda each: each[1].stored == "mel_statistics"):
        hasher.update(column.stored.encode())
        if column.holds_vectors:
            for array in _arrays(read_column(table, column)):
                hasher.update(np.ascontiguousarray(array).data)
        else:
            hasher.update(canonical_json(table[column.stored].to_pylist()).encode())
    return hasher.hexdigest()


def _identity(header: Header, tables: dict[str, pa.Table], there: dict[str, tuple[Column, ...]]) -> dict[str, Any]:
    """Return the header in FORMAT 1. If the content does not fit FORMAT 1, the columns and their types are added."""
    old = replace(header, format=1).to_json()
    if _fits_format_1(header, tables, there):
        return old
    types = {file: {each.stored: _about(tables[file], each) for each in columns} for file, columns in there.items()}
    return {**old, "format": 2, "columns": types}


def _fits_format_1(header: Header, tables: dict[str, pa.Table], there: dict[str, tuple[Column, ...]]) -> bool:
    required = {(file, each) for file, columns in COLUMNS.items() for each in columns if 1 in each.required_in}
    found = {(file, each) for file, columns in there.items() for each in columns}
    return (
        not header.tokens
        and required <= found
        and all(each.since == 1 and "float16" not in _about(tables[file], each) for file, each in found)
    )


def _about(table: pa.Table, column: Column) -> list[Any]:
    """Return a column's kind, and for vectors also their number type and dimension."""
    if not column.holds_vectors:
        return [column.kind]
    found = read_column(table, column)
    values = found.values if isinstance(found, Ragged) else found
    return [column.kind, values.dtype.name, values.shape[-1]]


def _arrays(values: Numbers | Ragged) -> tuple[Any, ...]:
    """Return the arrays to hash, in little-endian order. For ragged columns the offsets come first, beginning at 0."""
    if isinstance(values, Ragged):
        first, last = values.offsets[0], values.offsets[-1]
        return (values.offsets - first).astype("<i8"), *_arrays(values.values[first:last])
    return (values.astype(values.dtype.newbyteorder("<"), copy=False),)
