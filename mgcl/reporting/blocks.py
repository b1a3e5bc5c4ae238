"""A report as blocks: text in markdown, and grids of rows. Page, report.md and table.tex print the same grids."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pandas as pd

Verdict = Literal["", "better", "worse"]
"""What a row is than the reference row, beyond the interval of their paired difference; empty: neither."""

Groups = Sequence[tuple[str, Sequence[str]]]
"""Headings, and the names of the rows that stand under each."""


class Shown(NamedTuple):
    """One cell."""

    text: str
    best: bool = False
    """Of its column: it is printed in bold."""
    verdict: Verdict = ""
    """Only the page shows it."""


class Line(NamedTuple):
    """One row."""

    name: str
    cells: Sequence[Shown]


@dataclass(frozen=True)
class Grid:
    """Rows that share their columns."""

    corner: str
    """Head of the first column, which has the rows' names."""
    heads: Sequence[str]
    """Of the other columns."""
    groups: Sequence[tuple[str, Sequence[Line]]]
    """Headings, each with its rows; the heading of an only group is empty."""
    legend: str = ""
    """What its verdicts mean; empty where it has none."""


Block = str | Grid


def grid(
    corner: str, heads: Sequence[str], groups: Groups, cells: Mapping[str, Sequence[Shown]], reference: str = ""
) -> Grid:
    """The rows that have cells, under their headings.

    Args:
        corner: head of the first column.
        heads: of the others.
        groups: every row's place.
        cells: row -> one per head.
        reference: the row that verdicts compare with, if there are any.
    """
    found = [(heading, [Line(row, cells[row]) for row in rows if row in cells]) for heading, rows in groups]
    kept = [(heading, lines) for heading, lines in found if lines]
    judged = any(cell.verdict for each in cells.values() for cell in each)
    legend = (
        f"▲ better, ▼ worse than {reference}: the 95 % interval of the paired difference does not hold 0 (not "
        "corrected for the number of rows)."
    )
    return Grid(corner, heads, kept if len(kept) > 1 else [("", lines) for _, lines in kept], legend if judged else "")


def plain(corner: str, heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> Grid:
    """Rows without groups or verdicts."""
    return Grid(corner, heads, [("", [Line(name, [Shown(text) for text in texts]) for name, texts in rows])])


def markdown(blocks: Iterable[Block]) -> str:
    """All of them in GitHub's markdown; a heading is a row of its own, in italics."""
    return "\n\n".join(_markdown(each) if isinstance(each, Grid) else each for each in blocks)


def _markdown(grid: Grid) -> str:
    rows: list[list[str]] = []
    for heading, lines in grid.groups:
        if heading:
            rows.append([f"*{heading}*", *[""] * len(grid.heads)])
        rows += [
            [line.name, *(f"**{each.text}**" if each.best else each.text for each in line.cells)] for line in lines
        ]
    frame = pd.DataFrame(rows, columns=[grid.corner, *grid.heads])
    return str(frame.to_markdown(index=False, disable_numparse=True))
