"""Accuracies of a table as pictures: against shots, against explanations, and beside ``full`` on the same episodes."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from mgcl.evaluation.statistics import Estimate
from mgcl.reporting.differences import paired_difference
from mgcl.reporting.drawing import LOOKS, band, canvas, finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.tables import Column, Table

# As many as can be told apart in one panel.
_COMPARED = ("full", "zero-shot", "prototypical", "matching", "tip-adapter-f", "treff-adapter", "mel-statistics")
_EXPLANATIONS = {"category-name": 0, **{f"explanations-{number}": number for number in (2, 4, 6, 8)}}

Curves = Mapping[tuple[int, str], Mapping[int, Estimate]]
"""Way (a panel) and label (a line) -> place on the axis -> accuracy."""


def against_shots(table: Table) -> Figure | None:
    """Accuracy against shots, a panel a way: of ``full`` and its baselines, or without them of the first rows.

    Returns:
        None for a table of one shot.
    """
    named = tuple(row for row in table.rows if row in _COMPARED)
    rows = named if len(named) > 1 else table.rows[: len(LOOKS)]
    curves = {
        (way, row): {
            shot: estimate
            for each, shot in table.columns
            if each == way and (estimate := _mean(table, row, (way, shot)))
        }
        for way in _ways(table)
        for row in rows
    }
    which = "The method and its baselines" if rows == named else "The table's first rows"
    caption = f"{which}: accuracy against support clips a class. Bands: {_intervals(table)}. The table has every row."
    ticks = {shot: str(shot) for _, shot in table.columns}
    return _draw("shots", caption, curves, "support clips a class (shots)", ticks)


def against_explanations(table: Table) -> Figure | None:
    """Accuracy against how many explanations describe a class, a panel a way, a line a shot (MGCL Table 3).

    Returns:
        None unless two of its rows are there.
    """
    numbers = {row: _EXPLANATIONS[row] for row in table.rows if row in _EXPLANATIONS}
    curves = {
        (way, f"{shot}-shot"): {
            number: estimate for row, number in numbers.items() if (estimate := _mean(table, row, (way, shot)))
        }
        for way, shot in table.columns
    }
    ticks = {number: str(number) if number else "class\nname" for number in numbers.values()}
    caption = f"Accuracy against explanations a class; at the left the class's name alone. Bands: {_intervals(table)}."
    return _draw("explanations", caption, curves, "explanations a class", ticks)


def forest(table: Table, row: str = "full") -> Figure | None:
    """Accuracy of ``row`` minus every other's on the same episodes, a panel a way and shot.

    Returns:
        None where nothing can be paired.
    """
    found: dict[Column, dict[str, Estimate]] = {column: {} for column in table.columns}
    for column in table.columns:
        for other in table.rows:
            entries = (table.entries.get((name, column)) for name in (row, other))
            if difference := paired_difference(*entries):
                found[column][other] = difference
    others = [other for other in table.rows if any(other in each for each in found.values())]
    if not others:
        return None
    ways, shots = _ways(table), sorted({shot for _, shot in table.columns})
    drawn = canvas(2 + 2.4 * len(shots), 0.6 + len(ways) * (0.5 + 0.2 * len(others)))
    panels = drawn.subplots(len(ways), len(shots), sharex=True, sharey=True, squeeze=False)
    for way, shot in table.columns:
        axes = panels[ways.index(way)][shots.index(shot)]
        axes.set_title(f"{way}-way {shot}-shot", fontsize=9)
        _differences(axes, others, found[way, shot])
    panels[0][0].set_yticks(range(len(others)), others)
    panels[0][0].invert_yaxis()
    drawn.supxlabel(f"{row} minus the row, points of accuracy", fontsize=9)
    caption = (
        f"Accuracy of {row} minus the row's, on the episodes that both have: means and {_intervals(table)}. Right of "
        f"the line {row} is better; a filled marker's interval does not hold 0 (not corrected for the number of rows)."
    )
    return finish("differences", caption, drawn)


def _differences(axes: Axes, others: list[str], found: Mapping[str, Estimate]) -> None:
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)
    for filled in (True, False):
        shown = {other: each for other, each in found.items() if filled == (abs(each.mean) > each.half_width)}
        axes.errorbar(
            [100 * each.mean for each in shown.values()],
            [others.index(other) for other in shown],
            xerr=[100 * each.half_width for each in shown.values()],
            fmt="o",
            color=LOOKS[5].color,
            markerfacecolor=None if filled else "white",
            markersize=5,
            capsize=2,
        )


def _draw(name: str, caption: str, curves: Curves, axis: str, ticks: Mapping[int, str]) -> Figure | None:
    """None of fewer than two places on the axis."""
    if len(ticks) < 2:
        return None
    ways = sorted({way for way, _ in curves})
    labels = list(dict.fromkeys(label for _, label in curves))
    drawn = canvas(1 + 3.2 * len(ways), 3.8)
    panels = drawn.subplots(1, len(ways), sharey=True, squeeze=False)[0]
    for axes, way in zip(panels, ways, strict=True):
        for look, label in zip(LOOKS, labels, strict=False):
            band(axes, look, label, curves.get((way, label), {}))
        axes.set_title(f"{way}-way (chance {100 / way:.3g} %)", fontsize=9)
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_xlabel(axis)
        axes.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel("accuracy (%)")
    drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, handlelength=4)
    return finish(name, caption, drawn)


def _intervals(table: Table) -> str:
    folds = len({run.fold for run in table.runs})
    return f"95 % t intervals over {f'the means of {folds} folds' if folds > 1 else 'the episodes of the one fold'}"


def _ways(table: Table) -> list[int]:
    return sorted({way for way, _ in table.columns})


def _mean(table: Table, row: str, column: Column) -> Estimate | None:
    entry = table.entries.get((row, column))
    return entry.estimate if entry else None
