"""Names of files, and files that are there complete or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

DRAFT = ".draft-"
"""What the name of an unfinished file begins with."""


def as_text(name: str | PurePath) -> str:
    r"""A name as it can be printed and kept: bytes that are no UTF-8, which some systems leave, as ``\xe9``."""
    return os.fsencode(name).decode(errors="backslashreplace")


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A draft to write, which takes the file's place at the end: a reader sees the complete file or none.

    The draft lies beside the file under a name of its own, so that several processes may write at once. It is on the
    disk before it is renamed; an error removes it.
    """
    draft = file.with_name(f"{DRAFT}{uuid.uuid4().hex}")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
