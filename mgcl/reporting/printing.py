"""A table's means as text, with its caption."""

import math
from collections.abc import Mapping

from mgcl.reporting.blocks import Block, Grid, Shown, Verdict, grid
from mgcl.reporting.notes import caption, failures
from mgcl.reporting.tables import Column, Table


def means(table: Table, verdicts: Mapping[tuple[str, Column], Verdict], reference: str) -> Grid:
    """What the table shows.

    Args:
        table: to show.
        verdicts: (row, column) -> how it compares with the reference row.
        reference: the row.
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
    """The table with its caption; arguments as of ``means``."""
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
