"""Hashes of a bank's content in ``hashes.json``, so that a bank opens, and gives its digest, without reading vectors.

The file is made beside a bank's three files by who wrote them or read every value. It holds for files of the same sizes
and times and for the same header; of other files every value is read again. The digest does not depend on it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgcl.errors import BankError
from mgcl.features.digest import digest_of_shards, digest_with_columns, identity
from mgcl.features.header import Header
from mgcl.features.schema import CLASSES, CLIPS
from mgcl.features.shards import Shard
from mgcl.files import replacing

HASHES = "hashes.json"


@dataclass(frozen=True)
class Hashes:
    """Hashes of a bank's content.

    Attributes:
        digest: digest of the bank.
        identity: what the digest holds besides values: header and types of the columns.
        columns: file -> column -> SHA-256 of its values.
    """

    digest: str
    identity: Mapping[str, Any]
    columns: Mapping[str, Mapping[str, str]]


def hash_content(header: Header, clips: pa.Table, classes: pa.Table) -> Hashes:
    """Read every value of a bank and hash it."""
    whole, columns = digest_with_columns(header, clips, classes)
    return Hashes(whole, identity(header, clips, classes), columns)


def hash_shards(header: Header, clips: pa.Table, classes: pa.Table, shards: Iterable[Shard]) -> Hashes:
    """Hashes of a bank of shards, whose own digests are taken as they are: no value of a clip is read.

    Args:
        header: header of the bank.
        clips: table of any shard.
        classes: table of classes.
        shards: all shards, in order.
    """
    digests = [shard.digest for shard in shards]
    return Hashes(digest_of_shards(header, clips, classes, digests), identity(header, clips, classes), {})


def write_hashes(folder: Path, hashes: Hashes, clips: Iterable[str] = (CLIPS,)) -> None:
    """Record the hashes of the files that the folder has now; ``clips`` are the names of its files of clips.

    Raises:
        OSError: the folder cannot be written.
    """
    content = {**asdict(hashes), "files": _sizes_and_times(folder, (*clips, CLASSES))}
    with replacing(folder / HASHES) as draft:
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def recorded_digest(folder: Path, header: Header, clips: pa.Table, classes: pa.Table) -> str | None:
    """Digest that was recorded for the files of a folder as they are now; None: there is none."""
    content = _read(folder)
    same = content.get("files") == _sizes_and_times(folder, (CLIPS, CLASSES)) and content.get("identity") == identity(
        header, clips, classes
    )
    return str(content["digest"]) if same and "digest" in content else None


def changed_files(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Files of a folder whose size or time of change is not the recorded one, or of which none is recorded."""
    recorded = _read(folder).get("files")
    known = recorded if isinstance(recorded, dict) else {}
    return tuple(name for name, found in _sizes_and_times(folder, names).items() if known.get(name) != found)


def check_hashes(folder: Path, found: Hashes) -> bool:
    """Compare the content of a bank with its recorded hashes.

    Args:
        folder: folder of the bank.
        found: hashes of the content as it is.

    Returns:
        Whether there are recorded hashes.

    Raises:
        BankError: the content is another; names the file and the column.
    """
    content = _read(folder)
    if not content:
        return False
    mend = f"copy the bank again, or, if the change is meant, remove {folder / HASHES}"
    for file, columns in found.columns.items():
        for column, value in columns.items():
            if content.get("columns", {}).get(file, {}).get(column) != value:
                raise BankError(f"{folder / file}: column {column!r} is not what {HASHES} recorded; {mend}")
    if content.get("digest") != found.digest:
        raise BankError(f"{folder}: header or columns are not what {HASHES} recorded; {mend}")
    return True


def _read(folder: Path) -> dict[str, Any]:
    """Content of the file; empty if there is none or it is damaged, so that all values are read."""
    try:
        content = json.loads((folder / HASHES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _sizes_and_times(folder: Path, names: Iterable[str]) -> dict[str, list[int]]:
    """Size in bytes and time of change in ns, by file. The header is left out, because the hashes hold it."""
    found = {name: (folder / name).stat() for name in names}
    return {name: [each.st_size, each.st_mtime_ns] for name, each in found.items()}
