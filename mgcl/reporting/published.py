"""The paper's numbers beside ours; a difference stands only where data set, protocol and backbone are the paper's.

``published.csv`` holds what the paper's text gives, a line a figure, with its source and table; what it does not give
is not there. A derived figure is computed from a difference that the text states. ``previous-best`` is the best of the
other methods in MGCL's Table 1; the text does not name it, it is probably Treff-Adapter.
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from mgcl.reporting.tables import Column, Table, name_of

COLUMNS: tuple[Column, ...] = ((5, 1), (5, 10), (12, 1), (12, 10))
"""Of the paper's Tables 2-5; it also gives the mean over them."""
Place = tuple[str, Column | None]
"""Row and column; None: the mean over the paper's."""
_PROTOCOL = {"folds": "seeded 15", "split": "clip", "queries": 50, "episodes": 100}
"""The paper draws 12 of 15 classes, five subsets of them; which, it does not say."""
_FOLDS = 5


@dataclass(frozen=True)
class Published:
    """A figure of a paper."""

    accuracy: float
    """In %."""
    derived: bool
    """Computed from a difference that its text states."""
    table: str
    source: str


@cache
def published() -> Mapping[Place, Published]:
    """Every figure; a stated one where a derived one is known too."""
    with files("mgcl.reporting").joinpath("published.csv").open(encoding="utf-8") as file:
        lines = sorted(csv.DictReader(file), key=lambda line: line["derived"], reverse=True)
    return {
        (line["variant"], None if line["way"] == "mean" else (int(line["way"]), int(line["shot"]))): Published(
            float(line["accuracy_percent"]), line["derived"] == "yes", line["table"], line["source"]
        )
        for line in lines
    }


def what_differs(table: Table) -> tuple[str, ...]:
    """Of a table from the paper's: "data", "backbone" or "protocol"; empty: its figures compare with the paper's."""
    setting = table.setting
    name = re.sub(r"[^a-z0-9]", "", setting.dataset.lower()).replace("2018", "18")
    same = {
        "data": name == "fsdkaggle18",
        "backbone": re.search(r"ms.?clap.*2022", setting.backbone, re.IGNORECASE) is not None,
    }
    where = tuple(what for what, is_same in same.items() if not is_same)
    protocol = all(getattr(setting, field) == value for field, value in _PROTOCOL.items())
    return where or (() if protocol and len({run.fold for run in table.runs}) == _FOLDS else ("protocol",))


def difference(table: Table, place: Place) -> float | None:
    """Ours minus the paper's, in points; None where they do not compare, or one is not there or not whole."""
    row, column = place
    entries = [table.entries.get((row, each)) for each in (COLUMNS if column is None else (column,))]
    means = [entry.estimate.mean for entry in entries if entry and entry.whole and entry.estimate]
    if place not in published() or len(means) < len(entries) or what_differs(table):
        return None
    return 100 * math.fsum(means) / len(means) - published()[place].accuracy


def markdown(table: Table) -> str:
    """The paper's figures of the table's rows, in GitHub's markdown; empty where it has none."""
    columns = [*(column for column in COLUMNS if column in table.columns), None]
    rows = [row for row in table.rows if any((row, column) in published() for column in columns)]
    if not rows:
        return ""
    differs = what_differs(table)
    cells: dict[str, list[str]] = {}
    for column in columns:
        name = name_of(column) if column else "mean of 5- and 12-way, 1- and 10-shot"
        cells[name] = [_figure((row, column)) for row in rows]
        if not differs:
            cells[f"ours minus it, {name}"] = [_difference(table, (row, column)) for row in rows]
    shown = [published()[row, column] for row in rows for column in columns if (row, column) in published()]
    words = f"Accuracy in %, as published: {'; '.join(sorted({figure.source for figure in shown}))}."
    if any(figure.derived for figure in shown):
        words += " †: derived from a difference that its text states."
    if not differs:
        words += " Which classes its folds hold is not published, so the episodes are others."
    heading = f"Paper (other {' and '.join(differs)})" if differs else "Published, and the difference"
    frame = pd.DataFrame(cells, index=pd.Index(rows, name="variant"))
    return "\n\n".join([f"### {heading}", frame.to_markdown(disable_numparse=True), words])


def _figure(place: Place) -> str:
    figure = published().get(place)
    return "" if figure is None else f"{figure.accuracy:.2f}{'†' if figure.derived else ''}"


def _difference(table: Table, place: Place) -> str:
    points = difference(table, place)
    return "" if points is None else f"{points:+.2f}"
