"""Names of files."""

import os
from pathlib import PurePath


def as_text(name: str | PurePath) -> str:
    r"""A name as it can be printed and kept: bytes that are no UTF-8, which some systems leave, as ``\xe9``."""
    return os.fsencode(name).decode(errors="backslashreplace")
