"""Printable file names, and writing of files that are either complete or absent."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

DRAFT = ".draft-"
"""Prefix of the name of an unfinished file."""


def as_text(name: str | PurePath) -> str:
    r"""Printable form of a file name; bytes that are not UTF-8, which some systems allow, become ``\xe9``."""
    return os.fsencode(name).decode(errors="backslashreplace")


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a draft that replaces the file when the block ends, so that a reader sees a complete file or none.

    The draft is beside the file under a unique name, so that several processes may write at once. It is synced to the
    disk before it is renamed, and removed after an error.
    """
    draft = file.with_name(f"{DRAFT}{uuid.uuid4().hex}.part")  # torch.save needs a name before an ending
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(draft)):
            error.filename = str(file)  # a full disk names no file
        raise
