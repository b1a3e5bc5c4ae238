"""Reading the tables of a finished report back from its ``cells.csv``."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mgcl.catalogue import load, names
from mgcl.errors import ReportError
from mgcl.records import Setting
from mgcl.reporting.outline import Outline
from mgcl.reporting.statistics import Estimate
from mgcl.reporting.tables import Column, Entry, Table, grouped
from mgcl.tasks import Task

OUTLINE = Outline()


def tables(path: Path) -> tuple[Table, ...]:
    """Read one table per setting, of the task's first metric; entries have figures but no runs.

    Args:
        path: path of a ``cells.csv``; tables, rows and columns keep its order.

    Raises:
        ReportError: the file does not exist, or its columns are not those of any task.
    """
    if not path.is_file():
        raise ReportError(f"{path}: no such file; `mgcl report {path.parent.name}` writes it")
    cells = pd.read_csv(path)
    name, task = _task_of(path, cells)
    setting = ["dataset", "backbone", "bank", *task.SETTING]
    return tuple(
        _table(name, task, dict(zip(setting, values, strict=True)), lines)
        for values, lines in cells.groupby(setting, sort=False)
    )


def _task_of(path: Path, cells: pd.DataFrame) -> tuple[str, Task]:
    for name in names("task"):
        task: Task = load("task", name)
        if {*task.SETTING, *task.COLUMNS} <= set(cells.columns):
            return name, task
    raise ReportError(f"{path}: no task has its columns ({', '.join(cells.columns)}); draw the report again")


def _table(name: str, task: Task, setting: Mapping[str, Any], lines: pd.DataFrame) -> Table:
    entries = {
        (line["variant"], tuple(line[each] for each in task.COLUMNS)): Entry(_estimate(task, line), (), 0)
        for line in lines.to_dict("records")
        if line["finished"] or line["failed"]
    }
    rows = tuple(dict.fromkeys(row for row, _ in entries))
    columns: tuple[Column, ...] = tuple(dict.fromkeys(column for _, column in entries))
    variants = {row: row.partition(" (")[0] for row in rows}  # brackets: what differs among a variant's rows
    dataset, backbone, bank = (setting[each] for each in ("dataset", "backbone", "bank"))
    drawn = tuple((each, setting[each]) for each in task.SETTING)
    return Table(
        Setting(name, task.VERSION, dataset, backbone, bank, drawn),
        task.METRICS[0],
        rows,
        columns,
        entries,
        variants,
        {},
        grouped(rows, variants, OUTLINE.groups),
    )


def _estimate(task: Task, line: Mapping[Hashable, Any]) -> Estimate | None:
    metric = task.METRICS[0]
    mean = line[f"{metric.name}_percent" if metric.symbol == "%" else metric.name]
    return None if pd.isna(mean) else Estimate(mean / metric.factor, line["half_width_percent"] / metric.factor)
