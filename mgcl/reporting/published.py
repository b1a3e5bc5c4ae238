"""Published numbers beside ours; a difference is given only for the paper's data set, protocol and backbone.

``published.csv`` holds the figures that a paper's text gives, one line per figure, with source and table. A derived
figure is computed from a difference that the text states. ``previous-best`` is the best of the other methods in MGCL's
Table 1; the text does not name it, but it is probably Treff-Adapter. ``published_conditions.json`` holds the conditions
per source under which a table can be compared with it, and whether its figures are shown beside tables of other data
and protocols, too (``elsewhere``). ``setting`` is null where a table cannot tell whether its conditions are the
source's: no difference is given then, and the note says why.
"""

import csv
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from mgcl.reporting.blocks import Block, Shown, grid
from mgcl.reporting.tables import Column, Table

MEAN = "mean"
"""Name used for a column: the mean over all columns of the source."""

Place = tuple[str, str, str]
"""Source, row, and name of the column or ``MEAN``."""


@dataclass(frozen=True)
class Published:
    """One published figure."""

    value: float
    """Figure in the metric's printed unit, e.g. percent."""
    derived: bool
    """Whether the figure is computed from a difference that the paper's text states."""
    table: str


@cache
def published(task: str, metric: str) -> Mapping[Place, Published]:
    """Published figures of a task and metric; a stated figure takes precedence over a derived one."""
    with files("mgcl.reporting").joinpath("published.csv").open(encoding="utf-8") as file:
        lines = sorted(csv.DictReader(file), key=lambda line: line["derived"], reverse=True)
    return {
        (line["source"], line["variant"], line["column"]): Published(
            float(line["value"]), line["derived"] == "yes", line["table"]
        )
        for line in lines
        if (line["task"], line["metric"]) == (task, metric)
    }


def figures_for(table: Table) -> Mapping[Place, Published]:
    """Published figures of a table's task and metric, of the sources whose figures are shown beside such a table."""
    found = published(table.setting.task, table.metric.name)
    shown = {source for source, _, _ in found if _conditions()[source]["elsewhere"] or _same_draws(table, source)}
    return {place: figure for place, figure in found.items() if place[0] in shown}


def _same_draws(table: Table, source: str) -> bool:
    alike = _alike(table, source)
    return alike["data"] and (alike["protocol"] or _conditions()[source]["setting"] is None)


def sources(table: Table) -> tuple[str, ...]:
    """Sources that published figures of a table's task and metric: those for its data set, or all if there is none."""
    found = tuple(dict.fromkeys(source for source, _, _ in figures_for(table)))
    return tuple(source for source in found if "data" not in what_differs(table, source)) or found


@cache
def _conditions() -> Mapping[str, Mapping[str, Any]]:
    text = files("mgcl.reporting").joinpath("published_conditions.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def what_differs(table: Table, source: str) -> tuple[str, ...]:
    """Conditions in which a table differs from a source: "data" and "backbone", or else "protocol".

    "protocol" also stands where the table cannot tell whether it is the source's. An empty tuple means that their
    figures can be compared.
    """
    alike = _alike(table, source)
    where = tuple(what for what in ("data", "backbone") if not alike[what])
    return where or (() if alike["protocol"] else ("protocol",))


def _alike(table: Table, source: str) -> Mapping[str, bool]:
    """Whether a table's data, backbone and protocol are those of a source."""
    setting, asked = table.setting, _conditions()[source]
    name = re.sub(r"[^a-z0-9]", "", setting.dataset.lower()).replace("2018", "18")
    return {
        "data": name == asked["dataset"],
        "backbone": re.search(asked["backbone"], setting.backbone, re.IGNORECASE) is not None,
        "protocol": dict(setting.drawn) == asked["setting"] and table.blocks == asked["blocks"],
    }


def columns_of(table: Table, source: str) -> tuple[Column, ...]:
    """Columns of a table for which a source has figures, in the table's order."""
    known = {column for whose, _, column in figures_for(table) if whose == source}
    return tuple(column for column in table.columns if table.name_of(column) in known)


def difference(table: Table, place: Place) -> float | None:
    """Our figure minus the published one, in the metric's printed unit.

    Returns:
        The difference; None if the conditions differ, or if either figure is missing or ours is incomplete.
    """
    source, row, name = place
    figure = figures_for(table).get(place)
    if figure is None or what_differs(table, source):
        return None
    names = _names(source, table) if name == MEAN else (name,)
    by_name = {table.name_of(column): table.entries.get((row, column)) for column in table.columns}
    entries = [by_name.get(each) for each in names]
    means = [entry.estimate.mean for entry in entries if entry and entry.complete and entry.estimate]
    if len(means) < len(entries):
        return None
    return table.metric.factor * math.fsum(means) / len(means) - figure.value


def blocks(table: Table) -> list[Block]:
    """Sections with the published figures of the table's rows, one per source; empty if there are none."""
    return [block for source in sources(table) for block in _section(table, source)]


def _section(table: Table, source: str) -> list[Block]:
    figures = {(row, column): each for (whose, row, column), each in figures_for(table).items() if whose == source}
    mean = [MEAN] if any(column == MEAN for _, column in figures) else []
    columns = [*map(table.name_of, columns_of(table, source)), *mean]
    rows = [row for row in table.rows if any((row, column) in figures for column in columns)]
    if not rows:
        return []
    differs, asked = what_differs(table, source), _conditions()[source]
    cells: dict[str, list[str]] = {}
    for column in columns:
        head = asked["mean"] if column == MEAN else column
        cells[head] = [_figure(table, figures.get((row, column))) for row in rows]
        if not differs:
            cells[f"ours minus it, {head}"] = [_difference(table, (source, row, column)) for row in rows]
    shown = [figures[row, column] for row in rows for column in columns if (row, column) in figures]
    unit = f" in {table.metric.symbol}" if table.metric.symbol else ""
    words = f"{table.metric.title}{unit}, as published: {source}."
    if any(figure.derived for figure in shown):
        words += " †: derived from a difference that its text states."
    unknown = asked["setting"] is None
    if not differs:
        heading = "Published, and the difference"
    elif unknown and differs == ("protocol",):
        heading = "Published"
    else:
        heading = f"Paper (other {' and '.join(differs)})"
    if unknown or not differs:
        words += f" {asked['note']}"
    by_row = {row: [Shown(column[index]) for column in cells.values()] for index, row in enumerate(rows)}
    return [f"### {heading}", grid("variant", list(cells), table.groups, by_row), words]


def _names(source: str, table: Table) -> tuple[str, ...]:
    """Names of all columns of a source except the mean, sorted by their numbers."""
    names = (column for whose, _, column in figures_for(table) if whose == source)
    return tuple(sorted({*names} - {MEAN}, key=_numbers))


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", name)))


def _figure(table: Table, figure: Published | None) -> str:
    return "" if figure is None else f"{figure.value:.{table.metric.decimals}f}{'†' if figure.derived else ''}"


def _difference(table: Table, place: Place) -> str:
    points = difference(table, place)
    return "" if points is None else f"{points:+.{table.metric.decimals}f}"
