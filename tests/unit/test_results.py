"""The figures of the pages are those of the committed reports."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from mgcl.errors import ReportError
from mgcl.reporting import recorded
from mgcl.reporting.tables import Column, Table

REPORTS = Path(__file__).parents[2] / "reports"
WITH_PAGE = sorted(path for path in REPORTS.glob("*/*/cells.csv") if (path.parent / "report.md").is_file())
"""Reports of which more than the csv is committed."""
_SPEC = importlib.util.spec_from_file_location("results", REPORTS.parent / "docs" / "results.py")
results = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(results)


@pytest.mark.parametrize("page", results.pages(), ids=lambda page: page.name)
def test_a_page_has_the_figures_of_the_reports(page) -> None:
    text = page.read_text(encoding="utf-8")
    assert results.written(text) == text, "run `make results`"


def test_pages_have_figures() -> None:
    marked = {page.name for page in results.pages() if results.MARKED.search(page.read_text(encoding="utf-8"))}
    assert {"README.md", "results.md", "MODEL_CARD.md"} <= marked


@pytest.mark.parametrize("path", WITH_PAGE, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_a_table_from_csv_is_the_reports(path) -> None:
    """A report's two digits are those of the csv's four, rounded. On a tie the csv no longer says which way."""
    report = rows((path.parent / "report.md").read_text(encoding="utf-8"))
    for table in recorded.tables(path):
        for name, numbers in rows(results.drawn(table)):
            exact = [part for column in table.columns for part in percent(table, name, column)]
            assert len(exact) == len(numbers)
            assert any(
                name == other and len(printed) == len(exact) and np.abs(np.subtract(exact, printed)).max() < 0.00506
                for other, printed in report
            ), name


def percent(table: Table, name: str, column: Column) -> list[float]:
    """Mean and half-width that a csv has, in %; none if the row was not run."""
    entry = table.entries.get((name, column))
    found = entry.estimate if entry else None
    return [100 * found.mean, 100 * found.half_width] if found else []


def rows(text: str) -> list[tuple[str, list[float]]]:
    """Rows of figures of tables in markdown: first cell, and the numbers of the others."""
    lines = [line.replace("*", "").strip("| ").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [
        (name.strip(), [float(number) for cell in others for number in re.findall(r"\d+\.\d\d\b", cell)])
        for name, *others in lines
        if "±" in " ".join(others)
    ]


@pytest.mark.parametrize(
    ("mark", "named"),
    [
        ("table tiny/full_grid dataset=soundscapes rows=fulll", "no row fulll"),
        ("table tiny/full_grid", "2 tables"),
        ("table tiny/absent", "no such file"),
        ("cell tiny/full_grid dataset=soundscapes variant=full", "4 lines"),
    ],
)
def test_a_mark_that_names_nothing_is_refused(mark, named) -> None:
    with pytest.raises(ReportError, match=named):
        results.written(f"<!-- {mark} --><!-- end -->")
