"""The Arrow tables of a bank: made of values, written as files of one record batch, and mapped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgcl.errors import BankError, among
from mgcl.features.columns import to_arrow
from mgcl.features.header import Header
from mgcl.features.schema import CLIPS, COLUMNS

Values = Mapping[str, Any]
"""Content of a table: stored name of a column -> one value per row; None: the bank lacks the column."""


def clips_table(values: Values, header: Header) -> pa.Table:
    """Convert columns of clips to a table; a missing ``fold`` or ``source`` is unknown. See ``table_of``."""
    given = {name: column for name, column in values.items() if column is not None}
    unknown = dict.fromkeys(("fold", "source"), [None] * len(given.get("clip_id", ())))
    return table_of({**unknown, **given}, CLIPS, header)


def table_of(values: Values, file: str, header: Header) -> pa.Table:
    """Convert values to a table whose columns are in the schema's order.

    Raises:
        BankError: a column has an unknown name, cannot be converted, or has another length than the others.
    """
    known = {each.stored: each for each in COLUMNS[file]}
    for name in values:
        if name not in known:
            raise BankError(f"{file}: {name!r} is no column of it; {among(name, known)}")
    columns = {}
    for name, column in known.items():
        if values.get(name) is not None:
            try:
                columns[name] = to_arrow(values[name], column, header.embedding_dim)
            except (ValueError, TypeError, AttributeError) as error:  # raised by numpy or Arrow
                raise BankError(f"{file}: column {name!r}: {error}") from None
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BankError(f"{file}: columns of different lengths: {lengths}")
    return pa.table(columns)


def write_table(table: pa.Table, file: Path) -> None:
    """Write a table as an Arrow IPC file of one record batch."""
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def map_table(file: Path) -> pa.Table:
    """Map an Arrow file of a bank.

    Raises:
        BankError: the file is missing, truncated, or has several record batches; names it.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        table.validate()
    except FileNotFoundError:
        raise BankError(f"{file}: missing; copy the bank again, or write it again") from None
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BankError(f"{file}: truncated, or not an Arrow IPC file ({reason}); write the bank again") from None
    if table.num_rows and table.column(0).num_chunks > 1:
        raise BankError(
            f"{file}: {table.column(0).num_chunks} record batches, where a bank has one, to be read without a "
            "copy; write it again from pyarrow.Table.combine_chunks()"
        )
    return table
