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
from mgcl.features.hashes import Hashes, hash_content, hash_shards, write_hashes
from mgcl.features.header import Header
from mgcl.features.schema import CLASSES, CLIPS, FORMAT, HEADER
from mgcl.features.shards import Shard, check_alike, check_belongs, listing, shard_files, shard_of
from mgcl.features.tables import Values, clips_table, map_table, table_of, write_table
from mgcl.files import DRAFT, replacing


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
    tables = clips_table(clips, header), table_of(classes, CLASSES, header)
    check_bank({CLIPS: tables[0]}, tables[1], header, str(target))
    _write(target, _header_text(header, extraction), *tables, hash_content(header, *tables))
    return FeatureBank.open(target, checked=True)


def seal(
    folder: Path,
    target: str | Path,
    header: Header,
    classes: Values,
    *,
    shards: int | None = None,
    extraction: Mapping[str, Any] | None = None,
) -> FeatureBank:
    """Make a bank of a folder of shards, by adding what is missing and renaming the folder, and open it.

    Neither is a vector read nor a shard rewritten. A call that was interrupted can be repeated.

    Args:
        folder: folder with the files of ``mgcl.features.shards.write_shard``, on the file system of the target. Its
            other files become part of the bank's folder, and are ignored there.
        target: folder to make; must not exist.
        header: header that every shard was written with.
        classes: columns of ``mgcl.features.schema.CLASS_COLUMNS``, as in ``write_bank``.
        shards: number of shards that there must be; None: as many as there are, without a gap.
        extraction: how the bank was made, for ``bank.json``; not part of the digest.

    Raises:
        BankError: the target exists; a shard is missing, truncated, or of another header or of other columns than the
            first; a clip is in two shards; or the content is not a bank. Names the file.
    """
    place, header = Path(target).absolute(), replace(header, format=FORMAT)
    if place.exists():
        raise BankError(f"{place}: exists already; name another folder, or remove it first")
    files = {file.name: map_table(file) for file in shard_files(folder, shards)}
    found = tuple(shard_of(table, folder / name) for name, table in files.items())
    for name, shard in zip(files, found, strict=True):
        check_belongs(shard, header, folder / name)
    check_alike(files, folder)
    table = table_of(classes, CLASSES, header)
    check_bank(files, table, header, str(folder), unread=files.keys())  # their numbers were checked on writing
    with replacing(folder / CLASSES) as draft:
        write_table(table, draft)
    hashes = hash_shards(header, next(iter(files.values())), table, found)
    with replacing(folder / HEADER) as draft:
        draft.write_text(_header_text(header, extraction, found), encoding="utf-8")
    write_hashes(folder, hashes, files)
    for leftover in folder.glob(f"{DRAFT}*"):  # of writers that were killed
        leftover.unlink()
    folder.chmod(0o755)
    folder.rename(place)
    return FeatureBank.open(place, checked=True)


def _write(target: Path, header: str, clips: pa.Table, classes: pa.Table, hashes: Hashes) -> None:
    """Write into a folder beside the target, then rename it, so that a reader finds a complete bank or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for table, name in ((clips, CLIPS), (classes, CLASSES)):
            write_table(table, draft / name)
        (draft / HEADER).write_text(header, encoding="utf-8")
        write_hashes(draft, hashes)
        draft.chmod(0o755)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _header_text(header: Header, extraction: Mapping[str, Any] | None, shards: tuple[Shard, ...] = ()) -> str:
    """Text of ``bank.json``."""
    content = {
        **header.to_json(),
        **({"shards": listing(shards)} if shards else {}),
        **({"extraction": extraction} if extraction else {}),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
