"""A picture of a report, drawn twice: svg for the page, png for where svg is not shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One rendered picture; ``report.write`` writes its files."""

    name: str
    """Name of the files without an ending, unique within a report."""
    caption: str
    svg: str
    """Complete svg document."""
    png: bytes
