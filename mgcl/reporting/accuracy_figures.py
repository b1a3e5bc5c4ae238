"""Pictures of a table's means: against a number of its columns, against a series, and against the reference row."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from mgcl.methods.series import Series
from mgcl.reporting.differences import paired_difference
from mgcl.reporting.drawing import LOOKS, band, canvas, finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted, width, wrapped
from mgcl.reporting.notes import interval
from mgcl.reporting.outline import Outline
from mgcl.reporting.statistics import Estimate
from mgcl.reporting.tables import Column, Table

Curves = Mapping[tuple[str, str], Mapping[int, Estimate]]
"""(Panel, label of the line) -> position on the x axis -> mean with its interval."""


def against_columns(table: Table, outline: Outline) -> Figure | None:
    """Picture of the mean against the last of a column's one or two numbers, with one panel per value of the first.

    In few-shot tables the two numbers are ways (panels) and shots (axis). A single number has one panel. The lines are
    the reference row and its baselines, or the first rows of a table that has fewer than two of those.

    Returns:
        The picture; None if the axis would have a single value, or if the columns are not one or two integers.
    """
    if not all(len(column) < 3 and all(isinstance(each, int) for each in column) for column in table.columns):
        return None
    compared = (outline.reference, *outline.baselines)
    named = tuple(row for row in table.rows if row in compared)
    rows = named if len(named) > 1 else table.rows[: len(LOOKS)]
    *first, last = table.task.COLUMNS
    curves = {
        ("-".join(map(str, (*panel, *first))), row): {
            int(str(column[-1])): estimate
            for column in table.columns
            if column[:-1] == panel and (estimate := _mean(table, row, column))
        }
        for panel in dict.fromkeys(column[:-1] for column in table.columns)
        for row in rows
    }
    which = "The method and its baselines" if rows == named else "The table's first rows"
    axis = f"{table.task.COLUMNS[last].about} ({last}s)"
    caption = (
        f"{which}: {table.metric.name} against {table.task.COLUMNS[last].about}. Bands: {_intervals(table)}. "
        "The table has every row."
    )
    ticks = {int(str(column[-1])): str(column[-1]) for column in table.columns}
    return _draw(table, f"{last}s", caption, curves, axis, ticks)


def against_series(table: Table, series: Series) -> Figure | None:
    """Picture of the mean against the number in which some variants differ (MGCL Table 3), with one line per column.

    Returns:
        The picture; None if the table has fewer than two rows of the series.
    """
    numbers = {row: series.numbers[row] for row in table.rows if row in series.numbers}
    curves = {
        _panel_and_label(table, column): {
            number: estimate for row, number in numbers.items() if (estimate := _mean(table, row, column))
        }
        for column in table.columns
    }
    ticks = {number: str(number) if number else series.zero for number in numbers.values()}
    caption = f"{series.about} Bands: {_intervals(table)}."
    return _draw(table, series.name, caption, curves, series.axis, ticks)


def forest(table: Table, row: str) -> Figure | None:
    """Forest plot of ``row`` minus every other row, paired on the same units, with one panel per column.

    Returns:
        The picture; None if no other row shares units with ``row``.
    """
    found: dict[Column, dict[str, Estimate]] = {column: {} for column in table.columns}
    for column in table.columns:
        for other in table.rows:
            entries = (table.entries.get((name, column)) for name in (row, other))
            if difference := paired_difference(table.metric, *entries):
                found[column][other] = difference
    others = [other for other in table.rows if any(other in each for each in found.values())]
    if not others:
        return None
    down, across = _grid(table.columns)
    names = [fitted(other, 2.6) for other in others]
    wide = 0.5 + max(map(width, names)) + 2.4 * len(across)
    drawn = canvas(wide, 0.7 + len(down) * (0.5 + 0.2 * len(others)))
    panels = drawn.subplots(len(down), len(across), sharex=True, sharey=True, squeeze=False)
    for column in table.columns:
        axes = panels[down.index(column[:-1])][across.index(column[-1])]
        axes.set_title(fitted(table.name_of(column), 2.2), fontsize=9)
        _differences(axes, others, found[column], table.metric.factor)
    panels[0][0].set_yticks(range(len(others)), names)
    panels[0][0].invert_yaxis()
    drawn.supxlabel(wrapped(f"{fitted(row, 2)} minus the row, {table.metric.in_points}", wide - 0.4), fontsize=9)
    better = "Right" if table.metric.higher_is_better else "Left"
    caption = (
        f"{table.metric.title} of {row} minus the row's, on the {table.task.WORDS.unit}s that both have: "
        f"means and {_intervals(table, table.metric.paired_interval)}. {better} of the line {row} is better; a filled "
        "marker's interval does not hold 0 (not corrected for the number of rows)."
    )
    return finish("differences", caption, drawn)


def _grid(columns: Sequence[Column]) -> tuple[list[Column], list[Any]]:
    """Layout of the panels: one row per value of all but the last coordinate, one column per value of the last."""
    return list(dict.fromkeys(column[:-1] for column in columns)), sorted({column[-1] for column in columns})


def _differences(axes: Axes, others: list[str], found: Mapping[str, Estimate], factor: float) -> None:
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)
    for filled in (True, False):
        shown = {other: each for other, each in found.items() if filled == (abs(each.mean) > each.half_width)}
        axes.errorbar(
            [factor * each.mean for each in shown.values()],
            [others.index(other) for other in shown],
            xerr=[factor * each.half_width for each in shown.values()],
            fmt="o",
            color=LOOKS[5].color,
            markerfacecolor=None if filled else "white",
            markersize=5,
            capsize=2,
        )


def _draw(table: Table, name: str, caption: str, curves: Curves, axis: str, ticks: Mapping[int, str]) -> Figure | None:
    """Draw one panel per title and one line per label; returns None if ``ticks`` has fewer than two positions."""
    if len(ticks) < 2:
        return None
    titles = list(dict.fromkeys(panel for panel, _ in curves))
    labels = list(dict.fromkeys(label for _, label in curves))
    wide = 1 + 3.2 * len(titles)
    names = {label: fitted(label, wide - 1) for label in labels}
    # 0.9 inches: the sample of the line in a legend entry, and the gap beside it
    beside = max(1, min(4, int(wide / (0.9 + max(map(width, names.values()))))))
    drawn = canvas(wide, 3.6 + 0.2 * math.ceil(len(names) / beside))
    panels = drawn.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    for axes, title in zip(panels, titles, strict=True):
        for look, label in zip(LOOKS, labels, strict=False):
            band(axes, look, names[label], curves.get((title, label), {}), table.metric.factor)
        axes.set_title(fitted(title, 2.8), fontsize=9)
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_xlabel(wrapped(axis, 2.8))
        axes.grid(axis="y", alpha=0.3)
    measured = f"{table.metric.name} ({table.metric.symbol})" if table.metric.symbol else table.metric.name
    panels[0].set_ylabel(fitted(measured, 2.5))
    drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=beside, handlelength=4)
    return finish(name, caption, drawn)


def _panel_and_label(table: Table, column: Column) -> tuple[str, str]:
    """Panel and label of a column, e.g. ("5-way", "1-shot"); a column of one value has the empty panel title."""
    panel, _, label = table.name_of(column).rpartition(" ")
    return panel, label


def _intervals(table: Table, kind: str = "") -> str:
    return interval(table, kind).replace("interval", "intervals", 1)


def _mean(table: Table, row: str, column: Column) -> Estimate | None:
    entry = table.entries.get((row, column))
    return entry.estimate if entry else None
