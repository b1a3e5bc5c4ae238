"""Write the figures of the pages from the committed reports, so that each figure is measured once and copied by no one.

    python docs/results.py             # `make results`
    python docs/results.py --check     # names the pages that differ; exit code 1

A page marks where figures stand: a table on its own lines, or one figure in a sentence. Values select; several are
separated by commas, and a value with spaces is quoted.

    <!-- table tiny/full_grid dataset=soundscapes rows=full,zero-shot -->
    <!-- end -->
    <!-- cell tiny/full_grid dataset=soundscapes variant=full way=5 shot=5 -->86.17 ± 2.70<!-- end -->
    <!-- difference tiny/full_grid dataset=soundscapes variant=audio-only way=5 shot=5 -->-4.09 ± 1.47<!-- end -->

A difference is the reference row minus the variant, on the same episodes.
"""

import argparse
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mgcl.errors import ReportError
from mgcl.reporting.blocks import markdown
from mgcl.reporting.printing import means
from mgcl.reporting.recorded import tables
from mgcl.reporting.tables import Table

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/*.md", "reports/README.md", "mgcl/backbones/*/MODEL_CARD.md")
MARKED = re.compile(r"<!-- (table|cell|difference) (.*?) -->(.*?)<!-- end -->", re.DOTALL)


def pages() -> list[Path]:
    """Every page that may hold figures."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern))


def written(page: str) -> str:
    """A page with every marked place as the reports have it.

    Raises:
        ReportError: a mark names what no report has.
    """
    return MARKED.sub(_place, page)


def _place(found: "re.Match[str]") -> str:
    kind, mark, _ = found.groups()
    folder, *words = shlex.split(mark)
    where = dict(word.split("=", 1) for word in words)
    report = ROOT / "reports" / folder
    if kind == "table":
        text = f"\n{_table(report, where)}\n"
    else:
        text = _figure(report / ("cells.csv" if kind == "cell" else "differences.csv"), where)
    return f"<!-- {kind} {mark} -->{text}<!-- end -->"


def _table(report: Path, where: Mapping[str, str]) -> str:
    setting = {name: value for name, value in where.items() if name not in ("rows", "columns")}
    found = [table for table in tables(report / "cells.csv") if _is_of(table, setting)]
    if len(found) != 1:
        raise ReportError(f"{report}: {len(found)} tables with {setting}; name more of dataset, split, episodes ...")
    (table,) = found
    rows = tuple(where["rows"].split(",")) if "rows" in where else table.rows
    if absent := set(rows) - set(table.rows):
        raise ReportError(f"{report}: no row {', '.join(sorted(absent))}; it has {', '.join(table.rows)}")
    wanted = where["columns"].split(",") if "columns" in where else list(map(table.name_of, table.columns))
    columns = tuple(each for each in table.columns if table.name_of(each) in wanted)
    return drawn(replace(table, rows=rows, columns=columns))


def drawn(table: Table) -> str:
    """A table in markdown, the best of each column in bold."""
    return markdown([means(table, {}, "")])


def _is_of(table: Table, where: Mapping[str, str]) -> bool:
    values = {name: str(value) for name, value in table.setting_columns.items()}
    return all(values[name] == value for name, value in where.items())


def _figure(csv: Path, where: Mapping[str, str]) -> str:
    lines = pd.read_csv(csv, dtype=str).fillna("")
    ranked = {"metric": ""} if "metric" in lines else {}  # differences of the first metric name none
    for name, value in {**ranked, **where}.items():
        lines = lines[lines[name] == value]
    if len(lines) != 1:
        raise ReportError(f"{csv}: {len(lines)} lines with {dict(where)}; a figure is of one")
    line = lines.iloc[0]
    if "difference_points" in line:
        return f"{float(line['difference_points']):+.2f} ± {float(line['half_width_points']):.2f}"
    figure = next(name for name in lines if name.endswith("_percent"))
    return f"{float(line[figure]):.2f} ± {float(line['half_width_percent']):.2f}"


def main() -> None:
    """Write the pages, or say which differ."""
    parser = argparse.ArgumentParser(description="Write the figures of the pages from the committed reports.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a page differs")
    check = parser.parse_args().check
    differing = 0
    for page in pages():
        before = page.read_text(encoding="utf-8")
        try:
            after = written(before)
        except ReportError as error:
            sys.exit(f"{page.relative_to(ROOT)}: {error}")
        if after != before:
            differing += 1
            print(f"{page.relative_to(ROOT)}: {'differs; run make results' if check else 'written'}")
            if not check:
                page.write_text(after, encoding="utf-8")
    sys.exit(1 if check and differing else 0)


if __name__ == "__main__":
    main()
