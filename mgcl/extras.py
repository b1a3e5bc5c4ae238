"""Optional packages that only some commands need; they come with extras, ``pip install 'mgcl[NAME]'``."""

from collections.abc import Mapping
from importlib.util import find_spec

EXTRAS: Mapping[str, str] = {
    "mlflow": "sweep",
    "ray": "sweep",
    "sqlalchemy": "sweep",
    "tenacity": "sweep",
    "yaml": "sweep",
    "optuna": "search",
    "gradio": "demo",
    "laion_clap": "laion",
    "openai": "write",
    "av": "video",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "sounddevice": "live",
}
"""Import name -> extra that installs it. ``mgcl.audio.formats`` looks for PyAV too, and names the extra m4a."""


def missing(*packages: str) -> str | None:
    """Find packages that are not installed, and the command that installs them.

    Args:
        packages: import names, or names of modules in packages; packages that are not in ``EXTRAS`` are ignored.

    Returns:
        Names of the missing packages and the command; None if nothing is missing.

    >>> missing("json")
    """
    roots = dict.fromkeys(package.partition(".")[0] for package in packages)
    absent = [name for name in roots if name in EXTRAS and find_spec(name) is None]
    extras = ",".join(dict.fromkeys(EXTRAS[name] for name in absent))
    return f"{', '.join(absent)}: pip install 'mgcl[{extras}]'" if absent else None
