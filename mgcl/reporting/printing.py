"""Means of a table as text, with their caption."""

import math
from collections.abc import Mapping

from mgcl.reporting.blocks import Block, Grid, Shown, Verdict, grid
from mgcl.reporting.notes import caption, failures
from mgcl.reporting.tables import Column, Table


def means(table: Table, verdicts: Mapping[tuple[str, Column], Verdict], reference: str) -> Grid:
    """Build the grid of a table's means with their intervals.

    Args:
        table: table to print.
        verdicts: (row, column) -> comparison with the reference row.
        reference: name of the reference row.
    """
    cells = {
        row: [
            Shown(_cell(table, row, column), table.is_best(row, column), verdicts.get((row, column), ""))
            for column in table.columns
        ]
        for row in table.rows
    }
    return grid("variant", list(map(table.name_of, table.columns)), table.groups, cells, reference)


def blocks(
    table: Table, verdicts: Mapping[tuple[str, Column], Verdict] | None = None, reference: str = ""
) -> list[Block]:
    """Grid of a table's means, and its caption with the failed trials; for the arguments see ``means``."""
    return [means(table, verdicts or {}, reference), "  \n".join([*caption(table), *failures(table)])]


def _cell(table: Table, row: str, column: Column) -> str:
    entry = table.entries.get((row, column))
    if entry is None:
        return "not run"
    if entry.estimate is None:
        return "failed"
    mean, half_width = map(table.metric.text, (entry.estimate.mean, entry.estimate.half_width))
    text = mean if math.isnan(entry.estimate.half_width) else f"{mean} ± {half_width}"
    return text if entry.complete else f"{text} ({entry.finished} of {entry.expected} trials)"
