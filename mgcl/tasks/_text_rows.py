"""Which rows run in tasks that have class texts, and no labelled clips to learn from."""

from typing import Any

from mgcl import records


def unfit(_cell: records.Cell, parameters: Any) -> str:
    """Reason to leave out a method that learns from clips, or names no class texts; empty if it can run."""
    if getattr(parameters, "least_shots", 1):
        return "learns from labelled clips: left out"
    return "names no class texts: left out" if getattr(parameters, "texts", None) == "" else ""
