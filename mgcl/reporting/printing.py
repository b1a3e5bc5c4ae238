"""A table's cells as text, and the table with its caption in markdown."""

import math

import pandas as pd

from mgcl.reporting.notes import caption, failures
from mgcl.reporting.tables import Column, Table


def frame(table: Table, *, best: str = "{}") -> pd.DataFrame:
    """What the table shows, as text.

    Args:
        table: to show.
        best: how the best entries of a column are marked, {} standing for their text.
    """
    cells = [
        [(best if table.is_best(row, column) else "{}").format(_cell(table, row, column)) for column in table.columns]
        for row in table.rows
    ]
    return pd.DataFrame(
        cells, index=pd.Index(table.rows, name="variant"), columns=[table.name_of(column) for column in table.columns]
    )


def markdown(table: Table) -> str:
    """The table with its caption, in GitHub's markdown."""
    return "\n".join(
        [
            frame(table, best="**{}**").to_markdown(disable_numparse=True),
            "",
            "  \n".join([*caption(table), *failures(table)]),
        ]
    )


def _cell(table: Table, row: str, column: Column) -> str:
    entry = table.entries.get((row, column))
    if entry is None:
        return "not run"
    if entry.estimate is None:
        return "failed"
    mean, half_width = (table.metric.factor * each for each in (entry.estimate.mean, entry.estimate.half_width))
    text = f"{mean:.2f}" if math.isnan(half_width) else f"{mean:.2f} ± {half_width:.2f}"
    return text if entry.complete else f"{text} ({entry.finished} of {entry.expected} trials)"
