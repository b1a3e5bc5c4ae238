"""Shards of a bank: files of clips that are written one by one, in any order, and are never rewritten.

``clips-00000.arrow``, ``clips-00001.arrow`` ... are Arrow IPC files with the columns of clips, one record batch each.
Metadata of the Arrow schema hold the header that a shard belongs to and the digest of its values, so that neither
resuming an extraction nor sealing a bank reads a value again.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgcl.errors import BankError
from mgcl.features.checks import check_shard
from mgcl.features.digest import shard_digest
from mgcl.features.header import Header
from mgcl.features.schema import CLIPS
from mgcl.features.tables import Values, clips_table, map_table, write_table
from mgcl.files import replacing
from mgcl.records import canonical_json

_METADATA = b"mgcl"
_NAME = re.compile(r"clips-(\d{5,})\.arrow")


@dataclass(frozen=True)
class Shard:
    """What is known of a shard without reading its columns.

    Attributes:
        rows: number of its clips; a shard may have none.
        digest: SHA-256 of its columns.
        header: header of the bank that it belongs to, as in ``bank.json``.
        about: what its writer noted, e.g. clips that were left out; not part of the digest.
    """

    rows: int
    digest: str
    header: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def shard_file(number: int) -> str:
    """Name of a shard's file; shards are numbered from 0, and their clips are in the order of the numbers."""
    return f"clips-{number:05}.arrow"


def write_shard(
    folder: Path, number: int, header: Header, clips: Values, *, about: Mapping[str, Any] | None = None
) -> Shard:
    """Write the file of a shard, complete or not at all. An older file of this number is replaced.

    Args:
        folder: existing folder that ``mgcl.features.writer.seal`` makes a bank of.
        number: number of the shard.
        header: header of the bank; the same for every shard.
        clips: columns of ``mgcl.features.schema.CLIP_COLUMNS``, as in ``mgcl.features.writer.write_bank``; the same
            columns of the same types in every shard. There may be no clip, in arrays of shape (0, ...).
        about: what ``read_shard`` shall return too, as JSON takes it.

    Raises:
        BankError: a column has an unknown name, or a value is wrong; names the file, the column and the row.
    """
    table, file = clips_table(clips, header), folder / shard_file(number)
    check_shard(table, header, str(folder), file.name)
    shard = Shard(table.num_rows, shard_digest(header, table), _identity(header), about or {})
    known = canonical_json({"digest": shard.digest, "header": shard.header, "about": shard.about})
    with replacing(file) as draft:
        write_table(table.replace_schema_metadata({_METADATA: known}), draft)
    return shard


def read_shard(file: Path) -> Shard:
    """Return what is known of a shard; no column is read.

    Raises:
        BankError: the file is missing, truncated, or no shard.
    """
    return shard_of(map_table(file), file)


def shard_of(table: pa.Table, file: Path) -> Shard:
    """Return what the table of a shard's file states of it.

    Raises:
        BankError: the file was not written by ``write_shard``.
    """
    try:
        known = json.loads((table.schema.metadata or {})[_METADATA])
        return Shard(table.num_rows, str(known["digest"]), dict(known["header"]), dict(known["about"]))
    except (KeyError, ValueError, TypeError):
        raise BankError(f"{file}: not a shard of a bank; remove the file") from None


def check_belongs(shard: Shard, header: Header, file: Path) -> None:
    """Refuse a shard that was written for a bank with another header.

    Raises:
        BankError: names the file and the values that differ.
    """
    wanted = _identity(header)
    for section in sorted(shard.header.keys() | wanted.keys()):
        found, here = shard.header.get(section), wanted.get(section)
        if found != here:
            raise BankError(
                f"{file}: written for a bank with {section} {found}, where this one has {here}; remove the file, and "
                "write this shard again"
            )


def check_alike(files: Mapping[str, pa.Table], folder: Path) -> None:
    """Refuse shards whose columns, or types of columns, are not those of the first.

    Raises:
        BankError: names the file and the column.
    """
    (first, one), *others = files.items()
    for name, table in others:
        for column in dict.fromkeys([*one.schema.names, *table.schema.names]):
            found, wanted = (
                each.schema.field(column).type if column in each.schema.names else "missing" for each in (table, one)
            )
            if found != wanted:
                raise BankError(
                    f"{folder / name}: column {column!r} is {found}, and {wanted} in {first}; remove the wrong file, "
                    "and write this shard again"
                )


def shard_files(folder: Path, count: int | None = None) -> tuple[Path, ...]:
    """Files of all shards in a folder, in order.

    Args:
        folder: folder of shards.
        count: number of shards that there must be; None: up to the last that is there.

    Raises:
        BankError: one is missing, or there are more.
    """
    found = {int(match[1]): each for each in folder.iterdir() if (match := _NAME.fullmatch(each.name))}
    last = max(found, default=0)
    for number in range(last + 1 if count is None else count):
        if number not in found:
            raise BankError(f"{folder / shard_file(number)}: missing; write this shard, then seal the bank again")
    if count is not None and last >= count:
        raise BankError(f"{folder / shard_file(last)}: there should be {count} shards; remove the files after them")
    return tuple(found[number] for number in sorted(found))


def listing(shards: tuple[Shard, ...]) -> list[dict[str, Any]]:
    """The entry ``shards`` of ``bank.json``."""
    return [{"rows": shard.rows, "digest": shard.digest} for shard in shards]


def parse_listing(text: str, file: str) -> tuple[Shard, ...]:
    """Shards that the text of ``bank.json`` lists, by number; empty: the bank has one file of clips.

    Raises:
        BankError: the list is damaged.
    """
    try:
        listed = json.loads(text).get("shards", [])
        return tuple(Shard(int(each["rows"]), str(each["digest"])) for each in listed)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BankError(f"{file}: shards: not a list of rows and digests; copy the bank again") from None


def names_of_clips(text: str, file: str) -> tuple[str, ...]:
    """Names of the files of clips, by the text of ``bank.json``.

    Raises:
        BankError: see ``parse_listing``.
    """
    return tuple(shard_file(number) for number in range(len(parse_listing(text, file)))) or (CLIPS,)


def _identity(header: Header) -> dict[str, Any]:
    """Header as it is compared: without the format, which is not part of the content."""
    return {name: value for name, value in json.loads(canonical_json(header.to_json())).items() if name != "format"}
