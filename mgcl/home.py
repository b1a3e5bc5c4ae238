"""Folder of everything generated, by default ``.mgcl`` in the working directory, and its limit for similarities."""

import os
from pathlib import Path

from mgcl.errors import MgclError


def home() -> Path:
    """Absolute path of ``MGCL_HOME``; the folder need not exist."""
    return Path(os.environ.get("MGCL_HOME", ".mgcl")).absolute()


def similarity_limit() -> float:
    """Limit in bytes of the similarities stored on one machine: ``MGCL_SIMILARITY_GB``, by default 20 (GB).

    Raises:
        MgclError: the variable is not a positive number.
    """
    given = os.environ.get("MGCL_SIMILARITY_GB", "20")
    try:
        limit = float(given)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise MgclError(f"MGCL_SIMILARITY_GB must be a positive number of gigabytes, got {given!r}")
    return limit * 1e9
