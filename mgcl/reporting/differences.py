"""How much better one row of a table is than the others, on the same units."""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import pandas as pd

from mgcl.records import TrialRun, Value
from mgcl.reporting.statistics import Estimate, block_estimate
from mgcl.reporting.tables import Column, Entry, Table


def markdown(table: Table, row: str) -> str:
    """Mean of ``row`` minus every other's, in points, in GitHub's markdown; empty where nothing can be paired.

    Units (episodes) are the same for every variant, so their scores are subtracted one by one; the interval is over the
    differences of the block means, or over the units where there is one block.
    """
    others = {
        other: [_cell(table, row, other, column) for column in table.columns] for other in table.rows if other != row
    }
    paired = {other: [cell or "-" for cell in cells] for other, cells in others.items() if any(cells)}
    if not paired:
        return ""
    frame = pd.DataFrame(
        list(paired.values()),
        index=pd.Index(list(paired), name=f"{row} minus"),
        columns=list(map(table.name_of, table.columns)),
    )
    unit, block, over = table.task.WORDS.unit, table.task.WORDS.block, _interval(table)
    words = [
        f"Points of {table.metric.name}, {row} minus the row, on the same {unit}s: mean ± 95 % t interval over the "
        f"{over}."
    ]
    if any("trials" in cell for cells in paired.values() for cell in cells):
        words.append(f"In brackets: trials that both finished; of a single {block}, the interval is over its {unit}s.")
    return "\n\n".join([frame.to_markdown(disable_numparse=True), " ".join(words), *_searched(table)])


def _interval(table: Table) -> str:
    unit, block = table.task.WORDS.unit, table.task.WORDS.block
    if table.blocks > 1:
        return f"differences of {block} means"
    return f"{unit}s of the one {block}" if block else f"{unit}s"


def _searched(table: Table) -> list[str]:
    """Whether searched values are better than a row's own, in words."""
    lines = []
    for searched in (row for row in table.rows if row in table.searched):
        own = table.searched[searched]
        for column in table.columns:
            found = paired_difference(table.metric.name, *(table.entries.get((row, column)) for row in (searched, own)))
            if found and not math.isnan(found.half_width):
                low, high = found.mean - found.half_width, found.mean + found.half_width
                words = "better" if low > 0 else "worse" if high < 0 else "no better: 0 lies in the interval"
                difference = _cell(table, searched, own, column)
                lines.append(
                    f"- {searched} against its own values, {table.name_of(column)}: {difference} points, {words}"
                )
    return ["\n".join(lines)] if lines else []


def _cell(table: Table, row: str, other: str, column: Column) -> str:
    entries = [table.entries.get((name, column)) for name in (row, other)]
    estimate = paired_difference(table.metric.name, *entries)
    if estimate is None:
        return ""
    factor = table.metric.factor
    text = f"{factor * estimate.mean:+.2f}"
    if not math.isnan(estimate.half_width):
        text += f" ± {factor * estimate.half_width:.2f}"
    finished, expected = len(_paired(table.metric.name, *entries)), max(entry.expected for entry in entries if entry)
    return text if finished == expected else f"{text} ({finished} of {expected} trials)"


def paired_difference(metric: str, one: Entry | None, other: Entry | None) -> Estimate | None:
    """Of two entries' scores, over the trials that both finished; None without one, or for one and the same trial."""
    differences = paired_units(metric, one, other)
    return block_estimate(differences) if differences else None


def paired_units(metric: str, one: Entry | None, other: Entry | None) -> Mapping[Hashable, Sequence[float]]:
    """Block -> differences of two entries' scores, one per unit; empty where ``paired_difference`` is None."""
    differences: defaultdict[Hashable, list[float]] = defaultdict(list)
    for pair in _paired(metric, one, other):
        scores = (run.scores[metric] for run in pair)
        differences[pair[0].block] += [a - b for a, b in zip(*scores, strict=True)]
    return differences


def _paired(metric: str, one: Entry | None, other: Entry | None) -> Sequence[tuple[TrialRun, TrialRun]]:
    """Trials of the same units that both finished, blocks and seeds in order; none if all are one and the same."""
    first, second = _by_place(metric, one), _by_place(metric, other)
    pairs = [(first[place], second[place]) for place in sorted(first.keys() & second.keys())]
    return pairs if any(a.key != b.key for a, b in pairs) else ()


def _by_place(metric: str, entry: Entry | None) -> dict[tuple[Value, ...], TrialRun]:
    runs: tuple[TrialRun, ...] = entry.runs if entry else ()
    return {run.pooled: run for run in runs if metric in run.scores}
