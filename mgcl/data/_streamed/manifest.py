"""Manifests: csv or parquet files with one row per clip, which are read as a stream.

A manifest has a column path or url, and any of ``_COLUMNS``. A path is an audio file, or a member of a tar archive,
ARCHIVE.tar::MEMBER. With ``offset`` a clip is a part of its file, and lasts ``seconds``, or to the file's end. Without
it a clip is its whole file, and ``seconds`` states its length, so that no header is read for it.
"""

import functools
import hashlib
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mgcl.data._streamed.addresses import is_url
from mgcl.data._streamed.archives import index
from mgcl.data._streamed.listing import STATED, Streamed, of_manifest
from mgcl.data._streamed.rows import Rows
from mgcl.data._streamed.table import Table
from mgcl.errors import DataError, MgclWarning

_COLUMNS = ("path", "url", "offset", "seconds", "label", "labels", "caption", "source", "fold", "clip_id")
_CALLED_ELSEWHERE = {
    **dict.fromkeys(("start", "onset", "start_time", "begin_time"), "offset"),
    **dict.fromkeys(("end", "end_time", "duration"), "seconds"),
}
"""Column of other lists -> the column of a manifest that says it, of the length instead of the end."""
_THREADS = 32
"""Threads that look whether files are there: a disk on the network answers many at once."""
_ARCHIVES = 64
"""Archives whose members are kept in memory, of those that a manifest names."""


def manifest(file: Path, root: Path | None = None) -> Streamed:
    """The data set that a manifest lists.

    Args:
        file: the manifest, csv or parquet.
        root: folder that its paths are relative to; None: its own.

    Raises:
        DataError: the file cannot be read, lacks a column, or has one that a manifest calls otherwise.
    """
    file = file.absolute()
    table = Table.open(file, _COLUMNS)
    _check_columns(table)
    folder = (root or file.parent).absolute()
    if not folder.is_dir():
        raise DataError(f"`root` {folder}: no such folder")
    with file.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    return of_manifest(file, content, folder, lambda: _listed(table, str(folder)), table.rows)


def _check_columns(table: Table) -> None:
    found = ", ".join(table.columns.values())
    if not {"path", "url"} & table.columns.keys():
        holds = "; a file that holds the audio itself is parquet:FILE" if "audio" in table.columns else ""
        raise DataError(f"{table.file}: no column 'path' or 'url'; it has {found}{holds}")
    for name in table.columns:
        if name in _CALLED_ELSEWHERE:
            raise DataError(
                f"{table.file}: column {name!r}: a manifest has `offset` (where a clip starts) and `seconds` (how long "
                "it lasts); rename or compute them"
            )
    if not set(STATED) & table.columns.keys():
        raise DataError(f"{table.file}: no column of {', '.join(map(repr, STATED))}; add one. It has {found}")


def _listed(table: Table, root: str) -> Iterator[pa.RecordBatch]:
    """List the rows of a manifest, and refuse at the end if files are missing."""
    if unread := [spelled for name, spelled in table.columns.items() if name not in _COLUMNS]:
        warnings.warn(f"{table.file}: columns that are not read: {', '.join(unread)}", MgclWarning, stacklevel=2)
    first, missing, lost = table.rows[1], 0, ""
    wanted = [name for name in _COLUMNS if name in table.columns]
    indexed = functools.lru_cache(_ARCHIVES)(index)
    with ThreadPoolExecutor(_THREADS) as pool:
        for batch in table.batches(wanted):
            rows = Rows(batch, table.rows[0], first)
            listed = rows.listed(root, indexed)
            absent = _absent(listed["path"], pool)
            if absent and not missing:
                row = next(row for row, path in enumerate(listed["path"].to_pylist()) if path in absent)
                lost = f"{rows.where(row)}: {listed['path'][row]} is missing"
            missing += len(absent)
            first += batch.num_rows
            yield listed
    if missing:
        others = f", one of {missing:,} files" if missing > 1 else ""
        raise DataError(f"{lost}{others}; fetch it again, remove its row, or name the folder with `root` (now {root})")
    if first == table.rows[1]:
        raise DataError(f"{table.file}: no rows")


def _absent(paths: pa.Array, pool: ThreadPoolExecutor) -> set[str]:
    """Paths that are no files; threads look, each at a part of the paths."""
    files = [path for path in pc.unique(paths).to_pylist() if not is_url(path)]
    parts = (files[start::_THREADS] for start in range(min(_THREADS, len(files))))
    found = pool.map(lambda part: [path for path in part if not os.path.isfile(path)], parts)  # noqa: PTH113
    return {path for part in found for path in part}
