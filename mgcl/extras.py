"""Packages that only some commands need: each comes with an extra, ``pip install 'mgcl[NAME]'``."""

from collections.abc import Mapping
from importlib.util import find_spec

EXTRAS: Mapping[str, str] = {
    "mlflow": "sweep",
    "ray": "sweep",
    "sqlalchemy": "sweep",
    "tenacity": "sweep",
    "optuna": "search",
    "gradio": "demo",
    "laion_clap": "laion",
    "openai": "write",
}
"""Name of the import -> the extra that brings it. PyAV, of the extra m4a, is looked for by ``mgcl.audio.formats``."""


def missing(*packages: str) -> str | None:
    """Which of some packages are not installed, and the command that installs them.

    Args:
        packages: names of imports, or of modules in them; others than those in ``EXTRAS`` do not count.

    Returns:
        Their names and the command; None: nothing is missing.

    >>> missing("json")
    """
    roots = dict.fromkeys(package.partition(".")[0] for package in packages)
    absent = [name for name in roots if name in EXTRAS and find_spec(name) is None]
    extras = ",".join(dict.fromkeys(EXTRAS[name] for name in absent))
    return f"{', '.join(absent)}: pip install 'mgcl[{extras}]'" if absent else None
