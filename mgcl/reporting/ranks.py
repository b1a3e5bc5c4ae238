"""Mean ranks of the rows over banks and blocks, with critical difference and paired tests against the best row."""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from mgcl.reporting import significance
from mgcl.reporting.blocks import Block, plain
from mgcl.reporting.statistics import figure
from mgcl.reporting.tables import Table

LEAST = 5
"""Minimum number of observations for a test of ranks; Friedman's approximation is poor for fewer."""
_LEVEL = 0.05


@dataclass(frozen=True)
class Ranking:
    """Comparison of the rows that are complete in every column of every bank."""

    tables: Sequence[Table]
    """Ranked table of each bank."""
    observed: pd.DataFrame
    """Mean figures over a table's columns: one line per bank and block, one column per row.

    They are paired: within a block all rows of the table are measured on the same draws.
    """
    incomplete: tuple[str, ...]
    """Rows that are left out because they are incomplete in some column."""

    @property
    def table(self) -> Table:
        """Table of the first bank, for its task and metric."""
        return self.tables[0]

    @property
    def banks(self) -> int:
        """Number of banks."""
        return len(self.tables)

    @property
    def columns(self) -> int:
        """Number of columns, summed over the banks."""
        return sum(len(table.columns) for table in self.tables)

    @cached_property
    def behind(self) -> Mapping[str, int]:
        """Row -> number of columns, over all banks, in which it differs significantly from the column's best row."""
        return _behind(self.tables, list(self.observed.columns))

    @property
    def ranks(self) -> "pd.Series[float]":
        """Row -> mean rank, sorted from the best, where rank 1 is the best; tied rows share the mean of their ranks."""
        upwards = not self.table.metric.higher_is_better
        return self.observed.rank(axis=1, ascending=upwards).mean().sort_values(kind="stable")

    @property
    def tested(self) -> bool:
        """Whether there are enough observations and rows for a test of the ranks."""
        return len(self.observed) >= LEAST and self.observed.shape[1] > 2

    @property
    def critical_difference(self) -> float:
        """Critical difference of Nemenyi's test at 95 % (Demšar 2006, section 3.2.2).

        Rows whose mean ranks are closer than this do not differ significantly.
        """
        from scipy.stats import studentized_range  # takes a second to import, and few reports test ranks

        count, rows = self.observed.shape
        quantile = studentized_range.ppf(1 - _LEVEL, rows, math.inf) / math.sqrt(2)
        return float(quantile * math.sqrt(rows * (rows + 1) / (6 * count)))


def ranking(tables: Sequence[Table]) -> Ranking | None:
    """Rank the rows of a report's first task by its ranked metric.

    Args:
        tables: all tables of a report. Tables of one bank that differ in what was drawn are not pooled: only the first
            table of a bank counts.

    Returns:
        The ranking; None if fewer than two rows are complete.
    """
    banks: dict[str, Table] = {}
    for table in tables:
        if table.ranked and table.setting.task == tables[0].setting.task:
            banks.setdefault(table.setting.bank, table)
    every = dict.fromkeys(row for table in banks.values() for row in table.rows)
    complete = [row for row in every if all(_is_complete(table, row) for table in banks.values())]
    if len(complete) < 2:
        return None
    return Ranking(
        tables=tuple(banks.values()),
        observed=pd.concat([_observed(table, complete) for table in banks.values()], ignore_index=True),
        incomplete=tuple(row for row in every if row not in complete),
    )


def _is_complete(table: Table, row: str) -> bool:
    entries = [table.entries.get((row, column)) for column in table.columns]
    return all(entry is not None and entry.estimate is not None and entry.complete for entry in entries)


def _observed(table: Table, rows: Sequence[str]) -> pd.DataFrame:
    metric = table.metric
    found: dict[str, pd.Series[float]] = {}
    for row in rows:
        of_columns = []
        for column in table.columns:
            units: dict[Hashable, list[Any]] = {}
            for run in sorted(table.entries[row, column].runs, key=lambda run: run.pooled):
                units.setdefault(run.block, []).extend(metric.units(run.scores))
            of_columns.append(pd.Series({block: figure(each, metric.of) for block, each in units.items()}))
        found[row] = pd.concat(of_columns, axis=1, join="inner").mean(axis=1)
    return pd.DataFrame(found)


def _behind(tables: Sequence[Table], rows: Sequence[str]) -> Mapping[str, int]:
    compared, means = [], []
    for table in tables:
        for column in table.columns:
            found = {row: each.mean for row in rows if (each := table.entries[row, column].estimate)}
            pick = max if table.metric.higher_is_better else min
            compared.append((replace(table, columns=(column,)), pick(found, key=found.__getitem__)))
            means.append(found)
    counts: Counter[str] = Counter(dict.fromkeys(rows, 0))
    for of_rows, p in zip(means, significance.adjusted_p(compared), strict=True):
        counts.update(row for (row, _), each in p.items() if row in of_rows and each < _LEVEL)
    return counts


def blocks(found: Ranking | None) -> list[Block]:
    """Section with the rows by mean rank and the test of the ranks; empty without a ranking."""
    if found is None:
        return []
    metric, words = found.table.metric, found.table.task.WORDS
    rows = [(row, [f"{rank:.1f}", f"{found.behind[row]} of {found.columns}"]) for row, rank in found.ranks.items()]
    over = f"{words.block}s" if words.block else "banks"
    of_banks = f" of {found.banks} banks" if words.block and found.banks > 1 else ""
    lines = [
        f"Mean rank of {metric.name}, averaged over the columns, over {len(found.observed)} {over}{of_banks}; 1 is the "
        "best, and equal rows share a rank. Behind the best: columns in which the paired test against the column's "
        f"best row gives p < {_LEVEL}, adjusted over the rows of the column (Holm).",
        *([_tested(found)] if found.tested else []),
    ]
    if not found.tested:
        lines.append(f"The ranks are not tested: that takes three rows and {LEAST} {over}.")
    if found.incomplete:
        lines.append(f"Left out, because they lack a column: {', '.join(found.incomplete)}.")
    return [
        "## Which rows are behind the best",
        plain("variant", ["mean rank", "behind the best in columns"], rows),
        "  \n".join(lines),
    ]


def _tested(found: Ranking) -> str:
    from scipy.stats import friedmanchisquare  # takes a second to import, and few reports test ranks

    p = friedmanchisquare(*found.observed.to_numpy().T).pvalue
    caveat = found.table.task.WORDS.blocks_caveat
    return (
        f"Friedman's test that all rows are alike: p = {p:.2g}. Rows whose mean ranks are less than "
        f"{found.critical_difference:.1f} apart are not told apart (Nemenyi, 95 %; Demšar 2006). {caveat}"
    ).strip()
