"""How much better one row of a table is than the others, on the same episodes."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from mgcl.evaluation.statistics import Estimate, accuracy_estimate
from mgcl.records import SEARCHED, TrialRun
from mgcl.reporting.tables import Column, Entry, Table, name_of


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
    words = [f"{unit} {over}"]
    if any("trials" in cell for cells in paired.values() for cell in cells):
        words.append("In brackets: trials that both finished; of a single fold, the interval is over its episodes.")
    return "\n\n".join([frame.to_markdown(disable_numparse=True), " ".join(words), *_searched(table)])


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
                difference = _cell(table, searched, own, column)
                lines.append(f"- {searched} against its own values, {name_of(column)}: {difference} points, {words}")
    return ["\n".join(lines)] if lines else []


def _cell(table: Table, row: str, other: str, column: Column) -> str:
    entries = [table.entries.get((name, column)) for name in (row, other)]
    estimate = paired_difference(*entries)
    if estimate is None:
        return ""
    text = f"{100 * estimate.mean:+.2f}"
    if not math.isnan(estimate.half_width):
        text += f" ± {100 * estimate.half_width:.2f}"
    finished, expected = len(_paired(*entries)), max(entry.expected for entry in entries if entry)
    return text if finished == expected else f"{text} ({finished} of {expected} trials)"


def paired_difference(one: Entry | None, other: Entry | None) -> Estimate | None:
    """Of two entries' accuracies, over the folds and seeds that both finished; None without one, or for one trial."""
    differences = paired_episodes(one, other)
    return accuracy_estimate(differences) if differences else None


def paired_episodes(one: Entry | None, other: Entry | None) -> Mapping[int, Sequence[float]]:
    """Fold -> differences of two entries' accuracies, one an episode; empty where ``paired_difference`` is None."""
    differences: defaultdict[int, list[float]] = defaultdict(list)
    for pair in _paired(one, other):
        accuracies = (run.accuracies for run in pair)
        differences[pair[0].fold] += [a - b for a, b in zip(*accuracies, strict=True)]
    return differences


def _paired(one: Entry | None, other: Entry | None) -> Sequence[tuple[TrialRun, TrialRun]]:
    """Trials of the same episodes that both finished, folds and seeds in order; none if all are one and the same."""
    first, second = _by_fold_and_seed(one), _by_fold_and_seed(other)
    pairs = [(first[place], second[place]) for place in sorted(first.keys() & second.keys())]
    return pairs if any(a.key != b.key for a, b in pairs) else ()


def _by_fold_and_seed(entry: Entry | None) -> dict[tuple[int, int], TrialRun]:
    runs: tuple[TrialRun, ...] = entry.runs if entry else ()
    return {(run.fold, run.seed): run for run in runs if run.status == "FINISHED"}
