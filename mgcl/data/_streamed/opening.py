"""Streamed data sets by name: ``manifest:FILE``, ``tar:PATTERN``, ``parquet:PATTERN``."""

import glob
import os
from pathlib import Path

from mgcl.data._streamed.listing import Streamed
from mgcl.errors import DataError

MANIFEST, TAR, PARQUET = "manifest:", "tar:", "parquet:"
"""Prefixes of the names of streamed data sets."""


def streamed(name: str, root: Path | None) -> Streamed | None:
    """Return the streamed data set of a name; None: the name is not one of a streamed data set.

    Args:
        name: ``manifest:FILE``, ``tar:PATTERN`` or ``parquet:PATTERN``.
        root: folder that paths in a manifest are relative to; None: the manifest's own.

    Raises:
        DataError: there is no such file, it cannot be read, or ``root`` is given and is not used.
    """
    if name.startswith(MANIFEST):
        from mgcl.data._streamed.manifest import manifest

        return manifest(Path(name.removeprefix(MANIFEST)), root)
    for prefix in (TAR, PARQUET):
        if name.startswith(prefix):
            if root is not None:
                raise DataError(f"{name}: says where its files are; leave `root` out")
            files = _files(name, name.removeprefix(prefix))
            if prefix == TAR:
                from mgcl.data._streamed.archives import archives

                return archives(files)
            from mgcl.data._streamed.audio_tables import audio_tables

            return audio_tables(files)
    return None


def _files(name: str, pattern: str) -> tuple[Path, ...]:
    """Files that a pattern names, sorted.

    Raises:
        DataError: there is none.
    """
    found = sorted(Path(each).absolute() for each in glob.glob(pattern, recursive=True) if os.path.isfile(each))  # noqa: PTH113, PTH207
    if not found:
        raise DataError(f"{name}: no such file; check the pattern, and write it in quotes")
    return tuple(found)
