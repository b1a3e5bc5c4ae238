"""Whether the other rows of a table differ from one, on the same episodes: intervals, p, and in how many folds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mgcl.evaluation.statistics import Estimate, Floats, accuracy_estimate, bootstrap_interval, holm, sign_flip_p
from mgcl.reporting.differences import paired_episodes
from mgcl.reporting.tables import Column, Table, name_of

_Place = tuple[str, Column]


@dataclass(frozen=True)
class Comparison:
    """One row's reference minus the row, in one column; accuracies in 0..1."""

    reference: str
    row: str
    column: Column
    difference: Estimate
    low: float
    """Of the 95 % bootstrap interval over folds and episodes."""
    high: float
    p: float
    """Sign-flip, two-sided."""
    holm_p: float
    """Adjusted over the rows of the column."""
    ahead: int
    """Folds in which the reference's mean is the higher."""
    folds: int
    episodes: int
    """Of all folds."""


def compare(table: Table, reference: str = "full") -> tuple[Comparison, ...]:
    """Every row that can be paired with the reference, by column and then as the rows stand."""
    paired: dict[_Place, Mapping[int, Sequence[float]]] = {}
    for column in table.columns:
        for row in table.rows:
            episodes = paired_episodes(*(table.entries.get((each, column)) for each in (reference, row)))
            if episodes:
                paired[row, column] = episodes
    tests = _tests(paired)
    adjusted = _adjusted({place: test[0] for place, test in tests.items()})
    return tuple(
        Comparison(
            reference=reference,
            row=row,
            column=column,
            difference=accuracy_estimate(episodes),
            low=tests[row, column][1],
            high=tests[row, column][2],
            p=tests[row, column][0],
            holm_p=adjusted[row, column],
            ahead=sum(sum(each) > 0 for each in episodes.values()),
            folds=len(episodes),
            episodes=sum(map(len, episodes.values())),
        )
        for (row, column), episodes in paired.items()
    )


def _tests(paired: Mapping[_Place, Mapping[int, Sequence[float]]]) -> dict[_Place, tuple[float, float, float]]:
    """Place -> p, low and high; those with the same number of episodes a fold are resampled together."""
    alike: defaultdict[tuple[int, ...], list[_Place]] = defaultdict(list)
    for place, episodes in paired.items():
        alike[tuple(map(len, episodes.values()))].append(place)
    tests: dict[_Place, tuple[float, float, float]] = {}
    for places in alike.values():
        every = [list(paired[place].values()) for place in places]
        folds: list[Floats] = [np.array(each).T for each in zip(*every, strict=True)]
        found = np.vstack([sign_flip_p(folds), bootstrap_interval(folds)])
        tests |= {place: (p, low, high) for place, (p, low, high) in zip(places, found.T.tolist(), strict=True)}
    return tests


def _adjusted(p: Mapping[_Place, float]) -> dict[_Place, float]:
    adjusted: dict[_Place, float] = {}
    for column in {column for _, column in p}:
        places = [place for place in p if place[1] == column]
        adjusted |= zip(places, holm([p[place] for place in places]), strict=True)
    return adjusted


def markdown(table: Table, comparisons: Sequence[Comparison]) -> str:
    """Adjusted p and fold counts, and what they cover; empty without comparisons."""
    if not comparisons:
        return ""
    reference, several = comparisons[0].reference, max(each.folds for each in comparisons) > 1
    cells = {(each.row, each.column): _cell(each, counted=several) for each in comparisons}
    rows = [row for row in table.rows if any(place[0] == row for place in cells)]
    frame = pd.DataFrame(
        [[cells.get((row, column), "-") for column in table.columns] for row in rows],
        index=pd.Index(rows, name=f"{reference} against"),
        columns=list(map(name_of, table.columns)),
    )
    words = [
        "p of a two-sided sign-flip test of the paired episode differences within folds, adjusted over the rows of a "
        "column (Holm). It is conditional on these recordings and class subsets: episodes reuse clips, so it says "
        "whether other episodes of them would show a difference, not whether other recordings would."
    ]
    if several:
        folds = max(each.folds for each in comparisons)
        words.append(
            "The interval above is over fold means, so it covers the draw of class subsets too. In brackets: folds in "
            f"which the mean of {reference} is the higher, of those that both have. All {folds} of {folds} is p = "
            f"{0.5 ** (folds - 1):.4f} in a sign test, the least that it can give. differences.csv has a bootstrap "
            "interval over folds and episodes."
        )
    return "\n\n".join([frame.to_markdown(disable_numparse=True), " ".join(words)])


def _cell(each: Comparison, *, counted: bool) -> str:
    return f"{each.holm_p:.4f} ({each.ahead}/{each.folds})" if counted else f"{each.holm_p:.4f}"


def csv_row(table: Table, each: Comparison) -> dict[str, object]:
    """What ``differences.csv`` says of a comparison; differences in points."""
    return {
        **table.setting_columns,
        "reference": each.reference,
        "variant": each.row,
        "way": each.column[0],
        "shot": each.column[1],
        "difference_points": 100 * each.difference.mean,
        "half_width_points": 100 * each.difference.half_width,
        "bootstrap_low_points": 100 * each.low,
        "bootstrap_high_points": 100 * each.high,
        "sign_flip_p": each.p,
        "holm_p": each.holm_p,
        "paired_folds": each.folds,
        "folds_ahead": each.ahead,
        "paired_episodes": each.episodes,
    }
