"""Where everything generated lives: ``MGCL_HOME``, by default ``.mgcl`` in the working directory."""

import os
from pathlib import Path


def home() -> Path:
    """The absolute path of ``MGCL_HOME``; it need not exist."""
    return Path(os.environ.get("MGCL_HOME", ".mgcl")).absolute()
