"""Blocks of a report: text in markdown, and grids of rows. Page, report.md and table.tex print the same grids."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pandas as pd

Verdict = Literal["", "better", "worse"]
"""Whether a row is better or worse than the reference row beyond the interval of their difference; empty: neither."""

Groups = Sequence[tuple[str, Sequence[str]]]
"""Headings, each with the names of the rows under it."""


class Shown(NamedTuple):
    """One printed cell of a grid."""

    text: str
    best: bool = False
    """Whether the cell is the best of its column; the best is printed in bold."""
    verdict: Verdict = ""
    """Comparison with the reference row; only the html page shows it."""


class Line(NamedTuple):
    """One printed row of a grid."""

    name: str
    cells: Sequence[Shown]


@dataclass(frozen=True)
class Grid:
    """Printed table: rows under headings, all with the same columns."""

    corner: str
    """Head of the first column, which holds the names of the rows."""
    heads: Sequence[str]
    """Heads of the other columns."""
    groups: Sequence[tuple[str, Sequence[Line]]]
    """Headings, each with its rows; a grid of one group has an empty heading."""
    legend: str = ""
    """Explanation of the verdicts; empty if no cell has one."""


Block = str | Grid


def grid(
    corner: str, heads: Sequence[str], groups: Groups, cells: Mapping[str, Sequence[Shown]], reference: str = ""
) -> Grid:
    """Build a grid of the rows that have cells, under their headings.

    Args:
        corner: head of the first column.
        heads: heads of the other columns.
        groups: headings with their rows, in printed order; rows without cells are skipped.
        cells: row -> its cells, one per head.
        reference: the row that the verdicts compare with; the legend names it.
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
    """Build a grid of rows without groups or verdicts."""
    return Grid(corner, heads, [("", [Line(name, [Shown(text) for text in texts]) for name, texts in rows])])


def markdown(blocks: Iterable[Block]) -> str:
    """Render blocks in GitHub's markdown; a heading of a grid becomes a row of its own, in italics."""
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
