"""Whether the rows of a table are better than a uniform guess."""

import math

from mgcl.reporting.tables import Column, Table


def blocks(table: Table) -> list[str]:
    """One line per column: chance, and the rows that do not beat it by their interval; empty if the task names none.

    A row beats chance if its 95 % interval lies on the better side of it. A row of a single number has no interval.
    """
    if table.metric.chance is None:
        return []
    drawn = dict(table.setting.drawn)
    chances = {column: table.metric.chance({**drawn, **table.column_values(column)}) for column in table.columns}
    return ["  \n".join(_line(table, column, chance) for column, chance in chances.items())]


def _line(table: Table, column: Column, chance: float) -> str:
    metric = table.metric
    entries = {row: table.entries.get((row, column)) for row in table.rows}
    found = {row: entry.estimate for row, entry in entries.items() if entry and entry.estimate}
    unknown = [row for row, each in found.items() if math.isnan(each.half_width)]
    below = [row for row, each in found.items() if metric.direction * (each.mean - chance) <= each.half_width]
    words = [
        f"**not beaten beyond the interval by {', '.join(below)}**" if below else "",
        f"no interval: {', '.join(unknown)}" if unknown else "",
    ]
    level = f"{table.name_of(column)}: chance is {metric.text(chance)} {metric.symbol}".rstrip()
    return f"{level}; {'; '.join(filter(None, words)) or 'the interval of every row lies beyond it'}."
