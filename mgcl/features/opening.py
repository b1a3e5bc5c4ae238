"""Opening of a bank's files: mapped, checked, and compared with what was recorded of them."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mgcl.errors import BankError
from mgcl.features.checks import check_bank
from mgcl.features.digest import shard_digest
from mgcl.features.hashes import changed_files, hash_shards, recorded_digest
from mgcl.features.header import Header, parse_header
from mgcl.features.ranges import RemoteRows, remote_rows
from mgcl.features.schema import CLASSES, CLIPS, HEADER
from mgcl.features.shards import Shard, check_alike, check_belongs, names_of_clips, parse_listing, shard_of
from mgcl.features.tables import map_table


@dataclass(frozen=True, eq=False)
class Opened:
    """Files of a bank, mapped; see ``mgcl.features.bank.FeatureBank``."""

    header: Header
    files: Mapping[str, pa.Table]
    classes: pa.Table
    stamps: Mapping[str, tuple[int, ...]]
    recorded: str | None
    shards: tuple[Shard, ...]
    remote: RemoteRows | None


def open_files(folder: Path, *, checked: bool) -> Opened:
    """Map and check the files of a bank; see ``mgcl.features.bank.FeatureBank.open``.

    Raises:
        BankError: a file is missing, truncated, or not one of a bank; names the file, column and row.
    """
    if not folder.is_dir():
        raise BankError(f"{folder}: no such feature bank; make one with `mgcl extract` or `mgcl bank import`")
    _require(folder, HEADER)
    try:
        text = (folder / HEADER).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BankError(f"{folder / HEADER}: not a text file; write the bank again") from None
    header = parse_header(text, str(folder / HEADER))
    shards = parse_listing(text, str(folder / HEADER))
    names = names_of_clips(text, str(folder / HEADER))
    for name in (*names, CLASSES):
        _require(folder, name)
    remote = remote_rows(folder)
    stamps = stamp(folder, () if remote else names)  # holes that are filled change a file
    files, classes = {name: map_table(folder / name) for name in names}, map_table(folder / CLASSES)
    if shards:
        _check_listed(files, shards, header, folder)
        # the digest of shards needs no vector, but holds for files as they were recorded
        changed = () if remote else changed_files(folder, (*names, CLASSES))
        recorded = None if changed else hash_shards(header, files[names[0]], classes, shards).digest
    else:
        recorded = recorded_digest(folder, header, files[CLIPS], classes)
        changed = (CLIPS, CLASSES) if recorded is None else ()
    if not checked:
        check_bank(files, classes, header, str(folder), unread={*files, CLASSES}.difference(changed))
        if shards:
            check_digests(files, shards, header, folder, files.keys() & changed)
    return Opened(header, files, classes, stamps, recorded, shards, remote)


def stamp(folder: Path, clips: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return inode, size and time of change of a bank's files, by name, without files that do not exist."""
    found: dict[str, tuple[int, ...]] = {}
    for name in (HEADER, *clips, CLASSES):
        with suppress(FileNotFoundError):
            about = (folder / name).stat()
            found[name] = about.st_ino, about.st_size, about.st_mtime_ns
    return found


def check_digests(
    files: Mapping[str, pa.Table], shards: Iterable[Shard], header: Header, folder: Path, names: Iterable[str]
) -> None:
    """Read every value of some shards, and refuse a shard whose values are not those that it was written with.

    Raises:
        BankError: names the file.
    """
    known = dict(zip(files, shards, strict=True))
    for name in names:
        if shard_digest(header, files[name]) != known[name].digest:
            raise BankError(
                f"{folder / name}: its values are not those that it was written with; copy this file again from where "
                "the bank was made"
            )


def _check_listed(files: Mapping[str, pa.Table], shards: Iterable[Shard], header: Header, folder: Path) -> None:
    """Refuse a shard that is another one than ``bank.json`` lists. No column is read."""
    for (name, table), listed in zip(files.items(), shards, strict=True):
        found = shard_of(table, folder / name)
        check_belongs(found, header, folder / name)
        if (found.rows, found.digest) != (listed.rows, listed.digest):
            raise BankError(
                f"{folder / name}: {found.rows} clips with digest {found.digest[:16]}, where {HEADER} lists "
                f"{listed.rows} with {listed.digest[:16]}; copy both again from where the bank was made"
            )
    check_alike(files, folder)


def _require(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        listed = name not in (HEADER, CLIPS, CLASSES)
        whole = (
            f"{HEADER} lists it: copy the bank again"
            if listed
            else f"a feature bank is {HEADER}, {CLIPS} and {CLASSES}"
        )
        raise BankError(f"{folder / name}: missing; {whole}")
