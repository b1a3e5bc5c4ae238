"""Table over several feature banks: the mean of each row over the banks' means."""

from collections.abc import Sequence

from mgcl.reporting.blocks import Block, Groups, Shown, grid
from mgcl.reporting.statistics import t_interval
from mgcl.reporting.tables import Column, Table


def blocks(tables: Sequence[Table]) -> list[Block]:
    """One table per metric; empty if there is only one bank.

    Args:
        tables: all tables of a report. Tables of one metric and bank that differ in what was drawn are not pooled:
            only the first table of a bank counts.
    """
    by_metric: dict[str, dict[str, Table]] = {}
    for table in tables:
        by_metric.setdefault(table.metric.name, {}).setdefault(table.setting.bank, table)
    found = [block for banks in by_metric.values() if len(banks) > 1 for block in _section(list(banks.values()))]
    return ["## Over all banks", *found] if found else []


def _section(tables: Sequence[Table]) -> list[Block]:
    rows = list(dict.fromkeys(row for table in tables for row in table.rows))
    columns = sorted({column for table in tables for column in table.columns})
    first = tables[0]
    cells = {row: [Shown(_cell(tables, row, column)) for column in columns] for row in rows}
    found = grid("variant", list(map(first.name_of, columns)), _groups(tables), cells)
    banks = "; ".join(f"{each.setting.dataset}, {each.setting.backbone}" for each in tables)
    unit = f" in {first.metric.symbol}" if first.metric.symbol else ""
    words = (
        f"{first.metric.title}{unit}: mean over {len(tables)} banks ({banks}), each as in its own table, "
        "± 95 % t interval over the banks' means. -: a bank lacks the entry, or trials of it."
    )
    return [found, words]


def _groups(tables: Sequence[Table]) -> Groups:
    """Union of the groups of all tables, because some tables have rows that others lack."""
    rows: dict[str, dict[str, None]] = {}
    for table in tables:
        for heading, each in table.groups:
            rows.setdefault(heading, {}).update(dict.fromkeys(each))
    return [(heading, list(each)) for heading, each in rows.items()]


def _cell(tables: Sequence[Table], row: str, column: Column) -> str:
    metric = tables[0].metric
    means = [
        metric.factor * entry.estimate.mean
        for table in tables
        if (entry := table.entries.get((row, column))) and entry.estimate and entry.complete
    ]
    if len(means) < len(tables):
        return "-"
    found = t_interval(means)
    return f"{found.mean:.{metric.decimals}f} ± {found.half_width:.{metric.decimals}f}"
