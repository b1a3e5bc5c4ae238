"""Significance of the paired differences between a reference row and the other rows: intervals, p, block counts."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgcl.reporting.blocks import Block, Shown, Verdict, grid
from mgcl.reporting.differences import paired_units
from mgcl.reporting.statistics import (
    Estimate,
    Floats,
    Function,
    Units,
    block_estimate,
    bootstrap_interval,
    figure,
    holm,
    sign_flip_p,
    swap_p,
)
from mgcl.reporting.tables import Column, Table
from mgcl.tasks import Metric

_Place = tuple[str, Column]


@dataclass(frozen=True)
class Comparison:
    """Reference row minus one other row, in one column; differences are unscaled."""

    reference: str
    row: str
    column: Column
    difference: Estimate
    low: float
    """Lower end of the 95 % bootstrap interval over blocks and units; ``high`` is its upper end."""
    high: float
    p: float
    """Two-sided p of the sign-flip test, or of the swap test for a ``Summary``."""
    holm_p: float
    """``p``, adjusted over the rows of the column by Holm's method."""
    ahead: int
    """Number of blocks in which the reference has the better figure."""
    blocks: int
    units: int
    """Number of paired units in all blocks."""


def compare(table: Table, reference: str) -> tuple[Comparison, ...]:
    """Compare the reference with every row that shares units with it; sorted by column, then in the table's order."""
    paired: dict[_Place, Mapping[Hashable, Units]] = {}
    for column in table.columns:
        for row in table.rows:
            units = paired_units(table.metric, *(table.entries.get((each, column)) for each in (reference, row)))
            if units:
                paired[row, column] = units
    tests = _tests(paired, table.metric.difference)
    adjusted = _adjusted({place: test[0] for place, test in tests.items()})
    return tuple(
        Comparison(
            reference=reference,
            row=row,
            column=column,
            difference=block_estimate(units, table.metric.paired_interval, table.metric.difference),
            low=tests[row, column][1],
            high=tests[row, column][2],
            p=tests[row, column][0],
            holm_p=adjusted[row, column],
            ahead=sum(_is_ahead(table.metric, each) for each in units.values()),
            blocks=len(units),
            units=sum(map(len, units.values())),
        )
        for (row, column), units in paired.items()
    )


def _is_ahead(metric: Metric, units: Any) -> bool:
    difference: float = figure(units, metric.difference) if metric.difference else sum(units)
    return metric.direction * difference > 0


def _tests(
    paired: Mapping[_Place, Mapping[Hashable, Units]], of: Function | None
) -> dict[_Place, tuple[float, float, float]]:
    """(Row, column) -> p, low and high; comparisons with the same number of units per block are resampled together."""
    alike: defaultdict[tuple[int, ...], list[_Place]] = defaultdict(list)
    for place, units in paired.items():
        alike[tuple(map(len, units.values()))].append(place)
    tests: dict[_Place, tuple[float, float, float]] = {}
    for places in alike.values():
        every = [list(paired[place].values()) for place in places]
        blocks: list[Floats] = [np.array(each).swapaxes(0, 1) for each in zip(*every, strict=True)]
        found = np.vstack([swap_p(blocks, of) if of else sign_flip_p(blocks), bootstrap_interval(blocks, of)])
        tests |= {place: (p, low, high) for place, (p, low, high) in zip(places, found.T.tolist(), strict=True)}
    return tests


def _adjusted(p: Mapping[_Place, float]) -> dict[_Place, float]:
    adjusted: dict[_Place, float] = {}
    for column in {column for _, column in p}:
        places = [place for place in p if place[1] == column]
        adjusted |= zip(places, holm([p[place] for place in places]), strict=True)
    return adjusted


def verdicts(table: Table, comparisons: Sequence[Comparison]) -> Mapping[_Place, Verdict]:
    """(Row, column) -> "better" or "worse" than the reference, if the interval of their difference excludes 0."""
    sign = 1 if table.metric.higher_is_better else -1
    return {
        (each.row, each.column): "worse" if sign * each.difference.mean > 0 else "better"
        for each in comparisons
        if abs(each.difference.mean) > each.difference.half_width
    }


def blocks(table: Table, comparisons: Sequence[Comparison]) -> list[Block]:
    """Table of adjusted p and block counts, and a note on what they cover; empty without comparisons."""
    if not comparisons:
        return []
    nouns = table.task.WORDS
    reference, several = comparisons[0].reference, max(each.blocks for each in comparisons) > 1
    texts = {(each.row, each.column): _cell(each, counted=several) for each in comparisons}
    cells = {row: [Shown(texts.get((row, column), "-")) for column in table.columns] for row, _ in texts}
    found = grid(f"{reference} against", list(map(table.name_of, table.columns)), table.groups, cells)
    within = f" within {nouns.block}s" if nouns.block else ""
    test = (
        f"permutation test that swaps the rows' numbers of single {nouns.unit}s"
        if table.metric.summary
        else f"sign-flip test of the paired {nouns.unit} differences"
    )
    words = [f"p of a two-sided {test}{within}, adjusted over the rows of a column (Holm). {nouns.p_caveat}"]
    if several:
        blocks = max(each.blocks for each in comparisons)
        which = "higher" if table.metric.higher_is_better else "lower"
        words.append(
            f"The interval above is over {nouns.block} means, so it covers the draw of class subsets too. In brackets: "
            f"{nouns.block}s in which the mean of {reference} is the {which}, of those that both have. All {blocks} of "
            f"{blocks} is p = {0.5 ** (blocks - 1):.4f} in a sign test, the least that it can give. differences.csv "
            f"has a bootstrap interval over {nouns.block}s and {nouns.unit}s."
        )
    return [found, " ".join(words).strip()]


def _cell(each: Comparison, *, counted: bool) -> str:
    return f"{each.holm_p:.4f} ({each.ahead}/{each.blocks})" if counted else f"{each.holm_p:.4f}"


def csv_row(table: Table, each: Comparison) -> dict[str, object]:
    """One line of ``differences.csv``; differences are in points, or in the metric's own unit if it is not in %."""
    factor, nouns = table.metric.factor, table.task.WORDS
    points = "_points" if table.metric.symbol == "%" else ""
    blocks = {f"paired_{nouns.block}s": each.blocks, f"{nouns.block}s_ahead": each.ahead} if nouns.block else {}
    return {
        **table.setting_columns,
        **({} if table.ranked else {"metric": table.metric.name}),
        "reference": each.reference,
        "variant": each.row,
        **table.column_values(each.column),
        f"difference{points}": factor * each.difference.mean,
        f"half_width{points}": factor * each.difference.half_width,
        f"bootstrap_low{points}": factor * each.low,
        f"bootstrap_high{points}": factor * each.high,
        "sign_flip_p": each.p,
        "holm_p": each.holm_p,
        **blocks,
        f"paired_{nouns.unit}s": each.units,
    }
