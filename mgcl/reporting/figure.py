"""A picture of a report, drawn twice: svg for the page, png for where svg is not shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One picture; ``report.write`` puts it where it belongs."""

    name: str
    """Of its files, without an ending; one of its kind in a report."""
    caption: str
    svg: str
    """The whole document."""
    png: bytes
