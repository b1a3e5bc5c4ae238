"""How much better one row of a table is than the others, on the same episodes."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from mgcl.evaluation.statistics import Estimate, accuracy_estimate
from mgcl.records import SEARCHED, TrialRun
from mgcl.reporting.tables import Entry, Table, name_of


def markdown(table: Table, row: str = "full") -> str:
    """Accuracy of ``row`` minus every other's, in points, in GitHub's markdown; empty where nothing can be paired.

    Episodes are the same for every variant, so their accuracies are subtracted one by one; the interval is over the
    differences of the fold means, or over the episodes where there is one fold.
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
        columns=list(map(name_of, table.columns)),
    )
    unit = f"Points of accuracy, {row} minus the row, on the same episodes: mean ± 95 % t interval over the"
    over = "differences of fold means." if len({run.fold for run in table.runs}) > 1 else "episodes of the one fold."
    parts = [frame.to_markdown(disable_numparse=True), f"{unit} {over}", *_searched(table)]
    return "\n\n".join(parts)


def _searched(table: Table) -> list[str]:
    """Whether searched values are better than a row's own, in words."""
    lines = []
    for searched in (row for row in table.rows if SEARCHED in row):
        own = searched.split(SEARCHED)[0]
        for column in table.columns:
            found = paired_difference(*(table.entries.get((row, column)) for row in (searched, own)))
            if found and not math.isnan(found.half_width):
                low, high = found.mean - found.half_width, found.mean + found.half_width
                words = "better" if low > 0 else "worse" if high < 0 else "no better: 0 lies in the interval"
                difference = f"{100 * found.mean:+.2f} ± {100 * found.half_width:.2f}"
                lines.append(f"- {searched} against its own values, {name_of(column)}: {difference} points, {words}")
    return ["\n".join(lines)] if lines else []


def _cell(table: Table, row: str, other: str, column: tuple[int, int]) -> str:
    entries = (table.entries.get((name, column)) for name in (row, other))
    estimate = paired_difference(*entries)
    return "" if estimate is None else f"{100 * estimate.mean:+.2f} ± {100 * estimate.half_width:.2f}"


def paired_difference(one: Entry | None, other: Entry | None) -> Estimate | None:
    """Of two entries' accuracies; None for the same trials, and unless both finished the same folds and seeds."""
    differences = paired_episodes(one, other)
    return accuracy_estimate(differences) if differences else None


def paired_episodes(one: Entry | None, other: Entry | None) -> Mapping[int, Sequence[float]]:
    """Fold -> differences of two entries' accuracies, one an episode; empty where ``paired_difference`` is None."""
    pairs = _by_fold_and_seed(one), _by_fold_and_seed(other)
    differences: defaultdict[int, list[float]] = defaultdict(list)
    if pairs[0].keys() == pairs[1].keys() and pairs[0] != pairs[1]:
        for fold, seed in sorted(pairs[0]):
            accuracies = (pair[fold, seed].accuracies for pair in pairs)
            differences[fold] += [a - b for a, b in zip(*accuracies, strict=True)]
    return differences


def _by_fold_and_seed(entry: Entry | None) -> dict[tuple[int, int], TrialRun]:
    runs: tuple[TrialRun, ...] = entry.runs if entry else ()
    return {(run.fold, run.seed): run for run in runs if run.status == "FINISHED"}
