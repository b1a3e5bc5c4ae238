"""A report's files: tables with paired differences as a page, and every cell as csv."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mgcl.errors import ReportError
from mgcl.records import NO_TRANSPORT, Setting
from mgcl.reporting import differences
from mgcl.reporting.tables import Column, Entry, Table, markdown


def prepare(name: str, out: Path) -> Path:
    """Make the folder ``out/name``.

    Raises:
        ReportError: it cannot be made or written.
    """
    folder = out / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ReportError(f"--out {out}: {folder} cannot be written ({error.strerror}); name another folder") from None


def write(name: str, tables: Sequence[Table], out: Path) -> Path:
    """Write ``report.md`` and ``cells.csv`` into ``out/name`` and return that folder.

    Raises:
        ReportError: it cannot be made or written.
    """
    folder = prepare(name, out)
    sections = [_section(table) for table in tables]
    (folder / "report.md").write_text("\n\n".join([f"# {name}", *sections]) + "\n", encoding="utf-8")
    cells = [_csv_row(table, row, column) for table in tables for row in table.rows for column in table.columns]
    pd.DataFrame(cells).to_csv(folder / "cells.csv", index=False, lineterminator="\n", float_format="%.4f")
    return folder


def _heading(setting: Setting) -> str:
    return (
        f"{setting.dataset}, {setting.backbone}, bank {setting.bank[:16]}: {setting.episodes} episodes, "
        f"{setting.queries} queries, folds {setting.folds}, split {setting.split}"
    )


def _section(table: Table) -> str:
    parts = (f"## {_heading(table.setting)}", markdown(table), differences.markdown(table))
    return "\n\n".join(part for part in parts if part)


def _csv_row(table: Table, row: str, column: Column) -> dict[str, object]:
    entry = table.entries.get((row, column), Entry(None, (), 0))
    setting = table.setting
    return {
        "dataset": setting.dataset,
        "backbone": setting.backbone,
        "bank": setting.bank,
        "folds": setting.folds,
        "split": setting.split,
        "queries": setting.queries,
        "episodes": setting.episodes,
        "variant": row,
        "way": column[0],
        "shot": column[1],
        "accuracy_percent": 100 * entry.estimate.mean if entry.estimate else None,
        "half_width_percent": 100 * entry.estimate.half_width if entry.estimate else None,
        "finished": len(entry.runs) - entry.failed,
        "failed": entry.failed,
        **asdict(sum((run.convergence for run in entry.runs), start=NO_TRANSPORT)),
        "trial_keys": " ".join(sorted(run.key for run in entry.runs)),
    }
