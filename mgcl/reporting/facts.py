"""What the rows of a table took: numbers that trials give beside their scores, and the searches of values."""

from collections.abc import Sequence
from statistics import median

from mgcl.records import Searched, TrialRun, Value
from mgcl.reporting.blocks import Block, Shown, grid
from mgcl.reporting.tables import Table


def blocks(table: Table) -> list[Block]:
    """Grid of facts and searches, and whether all rows were searched alike; empty if no run recorded either."""
    runs = {row: _runs(table, row) for row in table.rows}
    searches = {row: _searches(row, each) for row, each in runs.items()}
    about = table.task.WORDS.facts
    known = [name for name in about if any(name in run.facts for each in runs.values() for run in each)]
    names = [name for name in known if name not in table.task.WORDS.varying]
    if not known and not any(searches.values()):
        return []
    cells = {
        row: [*(Shown(_number([run.facts[name] for run in each if name in run.facts])) for name in names),
              Shown(_extent(row, table, searches[row]))]
        for row, each in runs.items()
    }  # fmt: skip
    words = [f"{name[0].upper()}{name[1:]}: {about[name]}; the median of a row's trials." for name in names]
    varying = [f"facts.csv also has {name}: {about[name]}." for name in known if name not in names]
    words += [*varying, _fairness(table, searches)]
    return [grid("variant", [*names, "search"], table.groups, cells), " ".join(words)]


def csv_rows(table: Table) -> list[dict[str, Value]]:
    """Every row's facts, the median over its trials, with the table's setting; a row without facts is left out."""
    setting = table.setting
    where = {"task": setting.task, "dataset": setting.dataset, "backbone": setting.backbone, "bank": setting.bank[:16]}
    found = {
        row: {
            name: median(values)
            for name in table.task.WORDS.facts
            if (values := [run.facts[name] for run in _runs(table, row) if name in run.facts])
        }
        for row in table.rows
    }
    return [{**where, **dict(setting.drawn), "variant": row, **each} for row, each in found.items() if each]


def _runs(table: Table, row: str) -> list[TrialRun]:
    entries = (table.entries.get((row, column)) for column in table.columns)
    return [run for entry in entries if entry for run in entry.runs if run.status == "FINISHED"]


def _searches(row: str, runs: Sequence[TrialRun]) -> list[Searched]:
    """Different searches that chose a row's values; each of several tests has its own."""
    return list(dict.fromkeys(run.searches[row] for run in runs if row in run.searches))


def _number(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = median(values)
    return f"{middle:,.0f}" if middle == int(middle) else f"{middle:,.1f}"


def _extent(row: str, table: Table, searches: Sequence[Searched]) -> str:
    if row not in table.searched:
        return "none"
    if not searches:
        return "not recorded"
    return "; ".join(f"{each.points} points of {', '.join(each.parameters)}" for each in searches)


def _fairness(table: Table, searches: dict[str, list[Searched]]) -> str:
    """Sentence on whether the rows' searches were alike."""
    searched = {row: each for row, each in searches.items() if row in table.searched}
    if not searched:
        return "No row was searched: all have default values."
    points = {row: {found.points for found in each} for row, each in searched.items()}
    without = [row for row in table.rows if row not in searched and row not in table.searched.values()]
    unlike = len({frozenset(each) for each in points.values()}) > 1
    counts = ", ".join(f"{row}: {_every(each)}" for row, each in points.items())
    alike = f"Searches differ in their points ({counts})" if unlike else _alike(next(iter(points.values())))
    rest = f"; not searched: {', '.join(without)}" if without else ""
    caveat = " A difference between rows that were not searched alike is in part one of the searches."
    return f"{alike}{rest}.{caveat if unlike or rest else ''}"


def _alike(points: set[int]) -> str:
    return (
        f"Every searched row is the best of {_every(points)} points" if points else "Searches without recorded points"
    )


def _every(points: set[int]) -> str:
    return " and ".join(map(str, sorted(points))) or "not recorded"
