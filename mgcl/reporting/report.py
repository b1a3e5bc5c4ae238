"""Files of a report: an html page, its tables as markdown, csv and LaTeX, and its pictures."""

import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mgcl.errors import ReportError
from mgcl.records import NO_TRANSPORT, TrialRun
from mgcl.reporting import (
    ceilings,
    chance,
    choices,
    differences,
    facts,
    over_banks,
    printing,
    published,
    ranks,
    significance,
    standing,
)
from mgcl.reporting.blocks import Block, markdown
from mgcl.reporting.figure import Figure
from mgcl.reporting.latex import latex
from mgcl.reporting.outline import Outline
from mgcl.reporting.page import html
from mgcl.reporting.tables import Column, Entry, Table, build, by_setting

OUTLINE = Outline()


def prepare(name: str, out: Path) -> Path:
    """Make the folder ``out/name`` and check that it can be written.

    Raises:
        ReportError: the folder cannot be made or written.
    """
    folder = out / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ReportError(f"`out` {out}: {folder} cannot be written ({error.strerror}); name another folder") from None


def write(
    name: str,
    runs: Sequence[TrialRun],
    out: Path,
    *,
    outline: Outline = OUTLINE,
    figures: Sequence[Figure] = (),
    planned: Collection[str] | None = None,
) -> Path:
    """Write the report of a sweep; the same runs give the same bytes, in any order.

    ``report.md`` and ``index.html`` have the same content; the latter is self-contained and also lists the cells.
    ``cells.csv`` has every cell with its trial keys. ``differences.csv``, if there are comparisons, has those with the
    reference row. ``facts.csv``, if trials gave facts, has those of every row; seconds among them differ when trials
    run again. ``table.tex`` has the tables. Files of an earlier report in the folder that the new one lacks are
    removed; files of the user are not.

    Args:
        name: name of the sweep.
        runs: recorded runs of the sweep, one per trial key.
        out: folder in which the report's folder, called ``name``, is made.
        outline: which rows are compared, and the order of the rows.
        figures: pictures of the report.
        planned: keys of all trials of the sweep's latest command; None: not known.

    Returns:
        The report's folder.

    Raises:
        ReportError: the folder cannot be made or written.
    """
    folder = prepare(name, out)
    tables = build(runs, outline.order, outline.groups)
    compared = list(zip(tables, significance.compare_all(tables, outline.reference), strict=True))
    text = _text(name, runs, compared, outline, planned)
    pictures = [f"![{figure.caption}]({figure.name}.png)\n\n{figure.caption}" for figure in figures]
    cells = pd.DataFrame(
        [_cell(each, row, column) for each in by_setting(tables) for row in each[0].rows for column in each[0].columns]
    )
    differing = pd.DataFrame([significance.csv_row(table, each) for table, found in compared for each in found])
    took = pd.DataFrame([row for table in tables if table.ranked for row in facts.csv_rows(table)])
    files: dict[str, str] = {
        "report.md": markdown([*text, *(["## Pictures", *pictures] if pictures else [])]) + "\n",
        "index.html": html(name, text, figures, cells[_keys(tables)]),
        "cells.csv": _csv(cells),
        **({"differences.csv": _csv(differing)} if len(differing) else {}),
        **({"facts.csv": _csv(took)} if len(took) else {}),
        "table.tex": latex(tables),
        **{f"{figure.name}.svg": figure.svg for figure in figures},
    }
    images = {f"{figure.name}.png": figure.png for figure in figures}
    for file in _former(folder) - files.keys() - images.keys():
        (folder / file).unlink(missing_ok=True)
    for file, content in files.items():
        (folder / file).write_text(content, encoding="utf-8")
    for file, image in images.items():
        (folder / file).write_bytes(image)
    return folder


def _former(folder: Path) -> set[str]:
    """Names of optional files of the folder's last report: pictures that its ``report.md`` shows, and csv files."""
    last = folder / "report.md"
    if not last.is_file():
        return set()
    shown = re.findall(r"^!\[.*\]\(([\w-]+)\.png\)$", last.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return {"differences.csv", "facts.csv", *(f"{name}.{ending}" for name in shown for ending in ("svg", "png"))}


def _text(
    name: str,
    runs: Sequence[TrialRun],
    compared: Sequence[tuple[Table, Sequence[significance.Comparison]]],
    outline: Outline,
    planned: Collection[str] | None,
) -> list[Block]:
    return [
        f"# {name}",
        standing.markdown(runs, [table for table, _ in compared], planned),
        *(block for table, found in compared for block in _section(table, found, outline.reference)),
        *over_banks.blocks([table for table, _ in compared]),
        *ranks.blocks(ranks.ranking([table for table, _ in compared])),
        "## What the paper leaves open, and what was taken",
        *choices.blocks([run for table, _ in compared if table.ranked for run in table.runs], outline.reference),
    ]


def _heading(table: Table) -> str:
    setting = table.setting
    drawn = table.task.heading(dict(setting.drawn))
    metric = "" if table.ranked else f", {table.metric.name}"
    return f"{setting.dataset}, {setting.backbone}, bank {setting.bank[:16]}: {drawn}{metric}"


def _section(table: Table, found: Sequence[significance.Comparison], reference: str) -> list[Block]:
    verdicts = significance.verdicts(table, found)
    return [
        f"## {_heading(table)}",
        *printing.blocks(table, verdicts, reference),
        *ceilings.blocks(table),
        *chance.blocks(table),
        *differences.blocks(table, reference, verdicts),
        *significance.blocks(table, found),
        *(facts.blocks(table) if table.ranked else []),
        *published.blocks(table),
    ]


def _keys(tables: Sequence[Table]) -> list[str]:
    """Names of the columns of ``cells.csv`` that the page lists."""
    tasks = [table.task for table in tables]
    drawn = [name for task in tasks for name in task.SETTING]
    columns = [name for task in tasks for name in task.COLUMNS]
    return list(dict.fromkeys(["bank", *drawn, "variant", *columns, "finished", "failed", "trial_keys"]))


def _csv(frame: pd.DataFrame) -> str:
    return str(frame.to_csv(index=False, lineterminator="\n", float_format="%.4f"))


def _cell(tables: Sequence[Table], row: str, column: Column) -> Mapping[str, object]:
    """One line of ``cells.csv``: a row and column, with the figures of all metrics; ``tables`` has one per metric."""
    table = tables[0]
    entry = table.entries.get((row, column), Entry(None, (), 0))
    return {
        **table.setting_columns,
        "variant": row,
        **table.column_values(column),
        **{name: value for each in tables for name, value in _measured(each, row, column).items()},
        "finished": entry.finished,
        "failed": entry.failed,
        **asdict(sum((run.convergence for run in entry.runs), start=NO_TRANSPORT)),
        "trial_keys": " ".join(sorted(run.key for run in entry.runs)),
    }


def _measured(table: Table, row: str, column: Column) -> Mapping[str, object]:
    metric, entry = table.metric, table.entries.get((row, column))
    places = [(source, row, table.name_of(column)) for source in published.sources(table)]
    fitting = [each for each in places if each in published.figures_for(table)]
    place = fitting[0] if len(fitting) == 1 else None  # figures for several other data sets have no one column
    estimate = entry.estimate if entry else None
    percent, points = ("_percent", "_points") if metric.symbol == "%" else ("", "")
    beside = [f"half_width{percent}", f"paper{percent}", f"minus_paper{points}"]
    half, paper, minus = beside if table.ranked else [f"{metric.name}_{each}" for each in beside]
    return {
        f"{metric.name}{percent}": metric.factor * estimate.mean if estimate else None,
        half: metric.factor * estimate.half_width if estimate else None,
        paper: published.figures_for(table)[place].value if place else None,
        minus: published.difference(table, place) if place else None,
    }
