"""Write a feature bank, complete or not at all."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank
from mgcl.features.checks import check_bank
from mgcl.features.columns import to_arrow
from mgcl.features.hashes import Hashes, hash_content, write_hashes
from mgcl.features.header import Header
from mgcl.features.schema import CLASSES, CLIPS, COLUMNS, FORMAT, HEADER

Values = Mapping[str, Any]
"""Content of a table: stored name of a column -> one value per row; None: the bank lacks the column."""


def write_bank(
    path: str | Path,
    header: Header,
    clips: Values,
    classes: Values,
    *,
    extraction: Mapping[str, Any] | None = None,
) -> FeatureBank:
    """Write a bank, complete or not at all, and open it.

    Args:
        path: folder to make; must not exist.
        header: header whose sizes agree with the arrays. Its format is ignored: the bank is written in the newest.
        clips: columns of ``mgcl.features.schema.CLIP_COLUMNS``, by stored name; ``clip_id`` at least. Vectors are
            arrays of shape (clips, dimension) or (clips, entries, dimension), or ``Ragged``; float16 arrays keep their
            type. Missing columns ``fold`` and ``source`` are written as unknown.
        classes: columns of ``mgcl.features.schema.CLASS_COLUMNS``, by stored name; ``label`` at least.
        extraction: how the bank was made, for ``bank.json``; not part of the digest.

    Raises:
        BankError: the folder exists, a column has an unknown name, or the content is not a bank.
    """
    target, header = Path(path).absolute(), replace(header, format=FORMAT)
    if target.exists():
        raise BankError(f"{target}: exists already; name another folder, or remove it first")
    given = {name: values for name, values in clips.items() if values is not None}
    unknown = dict.fromkeys(("fold", "source"), [None] * len(given.get("clip_id", ())))
    tables = _table({**unknown, **given}, CLIPS, header), _table(classes, CLASSES, header)
    check_bank(*tables, header, str(target))
    about = {**header.to_json(), **({"extraction": extraction} if extraction else {})}
    _write(target, about, *tables, hash_content(header, *tables))
    return FeatureBank.open(target, checked=True)


def _write(target: Path, header: Mapping[str, Any], clips: pa.Table, classes: pa.Table, hashes: Hashes) -> None:
    """Write into a folder beside the target, then rename it, so that a reader finds a complete bank or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for table, name in ((clips, CLIPS), (classes, CLASSES)):
            with pa.ipc.new_file(draft / name, table.schema) as writer:
                writer.write_table(table)
        (draft / HEADER).write_text(json.dumps(header, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_hashes(draft, hashes)
        draft.chmod(0o755)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _table(values: Values, file: str, header: Header) -> pa.Table:
    """Convert values to a table whose columns are in the schema's order.

    Raises:
        BankError: a column has an unknown name, cannot be converted, or has another length than the others.
    """
    known = {each.stored: each for each in COLUMNS[file]}
    for name in values:
        if name not in known:
            raise BankError(f"{file}: {name!r} is no column of it; there are: {', '.join(known)}")
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
