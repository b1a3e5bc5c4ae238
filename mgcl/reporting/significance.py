"""Significance of the paired differences between a reference row and the other rows: intervals, p, block counts."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

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
_Blocks = Mapping[Hashable, Floats]
"""Block -> paired units."""
_TOGETHER = 512
"""Largest number of comparisons that are resampled together, which bounds the memory."""


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
    (found,) = compare_all([table], reference)
    return found


def compare_all(tables: Sequence[Table], reference: str) -> list[tuple[Comparison, ...]]:
    """Compare as ``compare`` does, for several tables at once: comparisons that are alike share their resamples."""
    paired = [_paired(table, reference) for table in tables]
    metrics = [table.metric for table in tables]
    p, intervals = _p(metrics, paired), _of_alike(metrics, paired, bootstrap_interval)
    return [
        tuple(
            Comparison(
                reference=reference,
                row=row,
                column=column,
                difference=_difference(table.metric, units),
                low=float(ends[row, column][0]),
                high=float(ends[row, column][1]),
                p=tested[row, column],
                holm_p=adjusted[row, column],
                ahead=sum(_is_ahead(table.metric, each) for each in units.values()),
                blocks=len(units),
                units=sum(map(len, units.values())),
            )
            for (row, column), units in pairs.items()
        )
        for table, pairs, tested, adjusted, ends in zip(tables, paired, p, map(_adjusted, p), intervals, strict=True)
    ]


def adjusted_p(compared: Sequence[tuple[Table, str]]) -> list[Mapping[_Place, float]]:
    """Adjusted p of ``compare`` alone, per pair of a table and its reference row: (row, column) -> p."""
    paired = [_paired(table, reference) for table, reference in compared]
    return [_adjusted(each) for each in _p([table.metric for table, _ in compared], paired)]


def _paired(table: Table, reference: str) -> dict[_Place, _Blocks]:
    paired: dict[_Place, _Blocks] = {}
    for column in table.columns:
        for row in table.rows:
            units = paired_units(table.metric, *(table.entries.get((each, column)) for each in (reference, row)))
            if units:
                paired[row, column] = {block: np.array(each) for block, each in units.items()}
    return paired


def _difference(metric: Metric, units: _Blocks) -> Estimate:
    listed: dict[Hashable, Units] = {block: each.tolist() for block, each in units.items()}
    return block_estimate(listed, metric.paired_interval, metric.difference)


def _is_ahead(metric: Metric, units: Floats) -> bool:
    listed = units.tolist()
    difference: float = figure(listed, metric.difference) if metric.difference else sum(listed)
    return metric.direction * difference > 0


def _p(metrics: Sequence[Metric], paired: Sequence[Mapping[_Place, _Blocks]]) -> list[dict[_Place, float]]:
    def tested(blocks: Sequence[Floats], of: Function | None) -> Floats:
        return swap_p(blocks, of) if of else sign_flip_p(blocks)

    return [{place: float(p) for place, p in each.items()} for each in _of_alike(metrics, paired, tested)]


def _of_alike(
    metrics: Sequence[Metric],
    paired: Sequence[Mapping[_Place, _Blocks]],
    of_blocks: Callable[[Sequence[Floats], Function | None], Floats],
) -> list[dict[_Place, Floats]]:
    """Apply a test to all comparisons; those of one metric with the same number of units per block are done together.

    Args:
        metrics: metric per table.
        paired: per table, (row, column) -> block -> paired units, shape (units,), or (units, columns) of a summary.
        of_blocks: function from arrays of shape (units, comparisons), one per block, and the metric's difference, to
            results whose last axis is the comparisons.

    Returns:
        Per table, (row, column) -> result.
    """
    alike: defaultdict[Hashable, list[tuple[int, _Place]]] = defaultdict(list)
    for index, (metric, pairs) in enumerate(zip(metrics, paired, strict=True)):
        for place, units in pairs.items():
            alike[metric, tuple(map(len, units.values()))].append((index, place))
    results: list[dict[_Place, Floats]] = [{} for _ in paired]
    for same in chain.from_iterable(map(_batches, alike.values())):
        every = [list(paired[index][place].values()) for index, place in same]
        blocks: list[Floats] = [np.stack(each, axis=1) for each in zip(*every, strict=True)]
        found = of_blocks(blocks, metrics[same[0][0]].difference)
        for (index, place), result in zip(same, found.T, strict=True):
            results[index][place] = result
    return results


def _batches(places: Sequence[tuple[int, _Place]]) -> Iterator[Sequence[tuple[int, _Place]]]:
    for start in range(0, len(places), _TOGETHER):
        yield places[start : start + _TOGETHER]


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
