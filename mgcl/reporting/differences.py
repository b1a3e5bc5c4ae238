"""Paired differences between one row of a table and the others, on the same units."""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from mgcl.records import TrialRun, Value
from mgcl.reporting.blocks import Block, Shown, Verdict, grid
from mgcl.reporting.statistics import Estimate, Units, block_estimate
from mgcl.reporting.tables import Column, Entry, Table
from mgcl.tasks import Metric


def blocks(table: Table, row: str, verdicts: Mapping[tuple[str, Column], Verdict] | None = None) -> list[Block]:
    """Table of ``row`` minus every other row, in printed units; empty if no other row shares units with ``row``.

    Units (episodes) are the same for every variant, so their scores are subtracted one by one. The interval is over
    the differences of the block means, or over the units if there is a single block.
    """
    others = {
        other: [_cell(table, row, other, column) for column in table.columns] for other in table.rows if other != row
    }
    paired = {other: cells for other, cells in others.items() if any(cells)}
    if not paired:
        return []
    cells = {
        other: [
            Shown(text or "-", verdict=(verdicts or {}).get((other, column), ""))
            for text, column in zip(texts, table.columns, strict=True)
        ]
        for other, texts in paired.items()
    }
    found = grid(f"{row} minus", list(map(table.name_of, table.columns)), table.groups, cells, row)
    unit, block, over = table.task.WORDS.unit, table.task.WORDS.block, _interval(table)
    figure, kind = "mean", "t interval"
    if table.metric.summary and table.blocks < 2:
        figure, kind = "difference over all of them", "bootstrap interval (half its width)"
    what = table.metric.in_points
    words = [
        f"{what[0].upper()}{what[1:]}, {row} minus the row, on the same {unit}s: {figure} ± 95 % {kind} over the "
        f"{over}."
    ]
    if any("trials" in text for texts in paired.values() for text in texts):
        words.append(f"In brackets: trials that both finished; of a single {block}, the interval is over its {unit}s.")
    return [found, " ".join(words), *_searched(table)]


def _interval(table: Table) -> str:
    unit, block = table.task.WORDS.unit, table.task.WORDS.block
    if table.blocks > 1:
        return f"differences of {block} means"
    return f"{unit}s of the one {block}" if block else f"{unit}s"


def _searched(table: Table) -> list[str]:
    """Sentences on whether searched values are better than the variant's own."""
    lines = []
    for searched in (row for row in table.rows if table.searched.get(row, row) != row):
        own = table.searched[searched]
        for column in table.columns:
            found = paired_difference(table.metric, *(table.entries.get((row, column)) for row in (searched, own)))
            if found and not math.isnan(found.half_width):
                low, high = found.mean - found.half_width, found.mean + found.half_width
                sides = ("better", "worse") if table.metric.higher_is_better else ("worse", "better")
                words = sides[0] if low > 0 else sides[1] if high < 0 else "no better: 0 lies in the interval"
                difference = _cell(table, searched, own, column)
                points = " points" if table.metric.symbol == "%" else ""
                where = f"{searched} against its own values, {table.name_of(column)}"
                lines.append(f"- {where}: {difference}{points}, {words}")
    return ["\n".join(lines)] if lines else []


def _cell(table: Table, row: str, other: str, column: Column) -> str:
    entries = [table.entries.get((name, column)) for name in (row, other)]
    estimate = paired_difference(table.metric, *entries)
    if estimate is None:
        return ""
    text = table.metric.text(estimate.mean, "+")
    if not math.isnan(estimate.half_width):
        text += f" ± {table.metric.text(estimate.half_width)}"
    finished, expected = len(_paired(table.metric, *entries)), max(entry.expected for entry in entries if entry)
    return text if finished == expected else f"{text} ({finished} of {expected} trials)"


def paired_difference(metric: Metric, one: Entry | None, other: Entry | None) -> Estimate | None:
    """Difference of two entries' figures, over the trials that both finished.

    Returns:
        The estimate, unscaled; None if they share no finished trial, or if all shared trials are identical.
    """
    units = paired_units(metric, one, other)
    return block_estimate(units, metric.paired_interval, metric.difference) if units else None


def paired_units(metric: Metric, one: Entry | None, other: Entry | None) -> Mapping[Hashable, Units]:
    """Block -> ``Metric.paired`` of two entries, unit by unit; empty if ``paired_difference`` is None."""
    units: defaultdict[Hashable, list[Any]] = defaultdict(list)
    for first, second in _paired(metric, one, other):
        units[first.block] += metric.paired(first.scores, second.scores)
    return units


def _paired(metric: Metric, one: Entry | None, other: Entry | None) -> Sequence[tuple[TrialRun, TrialRun]]:
    """Pairs of finished trials of the same units, sorted by block and seed; empty if every pair is one trial twice."""
    first, second = _by_place(metric, one), _by_place(metric, other)
    pairs = [(first[place], second[place]) for place in sorted(first.keys() & second.keys())]
    return pairs if any(a.key != b.key for a, b in pairs) else ()


def _by_place(metric: Metric, entry: Entry | None) -> dict[tuple[Value, ...], TrialRun]:
    runs: tuple[TrialRun, ...] = entry.runs if entry else ()
    return {run.pooled: run for run in runs if metric.measured(run.scores)}
