"""The figures of the pages are those of the committed reports."""

import importlib.util
import re
from pathlib import Path

import pytest

from mgcl.errors import ReportError
from mgcl.reporting import recorded

REPORTS = Path(__file__).parents[2] / "reports"
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


@pytest.mark.parametrize("path", sorted(REPORTS.glob("*/*/cells.csv")), ids=lambda path: "/".join(path.parts[-3:-1]))
def test_a_table_from_csv_is_the_reports(path) -> None:
    report = cells((path.parent / "report.md").read_text(encoding="utf-8"))
    for table in recorded.tables(path):
        for line in results.drawn(table).splitlines()[2:]:
            assert cells(line) in report


def cells(text: str) -> str:
    """Without what a table is drawn with."""
    return re.sub(r"[*|\s]+", " ", text)


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
