"""Where everything generated lives, by default ``.mgcl`` in the working directory, and how much of it is kept."""

import os
from pathlib import Path

from mgcl.errors import MgclError


def home() -> Path:
    """The absolute path of ``MGCL_HOME``; it need not exist."""
    return Path(os.environ.get("MGCL_HOME", ".mgcl")).absolute()


def similarity_limit() -> float:
    """Bytes that the similarities kept on one machine may take: ``MGCL_SIMILARITY_GB``, 20 GB by default.

    Raises:
        MgclError: it is no positive number.
    """
    given = os.environ.get("MGCL_SIMILARITY_GB", "20")
    try:
        limit = float(given)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise MgclError(f"MGCL_SIMILARITY_GB must be a positive number of gigabytes, got {given!r}")
    return limit * 1e9
