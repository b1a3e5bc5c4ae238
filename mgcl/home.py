"""Settings from the environment: the folder of everything generated, its limit for similarities, the solver."""

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


def compiled_transport() -> bool:
    """Whether ``MGCL_TRANSPORT`` asks for the compiled kernel on CPUs; by default torch solves transport.

    Raises:
        MgclError: the variable is neither "torch" nor "compiled".
    """
    given = os.environ.get("MGCL_TRANSPORT", "torch")
    if given not in ("torch", "compiled"):
        raise MgclError(f"MGCL_TRANSPORT must be torch or compiled, got {given!r}")
    return given == "compiled"
