"""What is committed of reports: small, without pages, every picture there, rows under their headings."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mgcl.methods.variants import GROUPS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this is no clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", "reports"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_they_are_under_4_megabytes_and_hold_no_page(committed) -> None:
    assert sum(file.stat().st_size for file in committed) < 4_000_000
    assert {file.suffix for file in committed} <= {"", ".md", ".csv", ".png", ".tex", ".json"}


def test_every_picture_that_is_shown_is_there_and_none_is_left(committed) -> None:
    for page in (file for file in committed if file.name == "report.md"):
        shown = {page.parent / name for name in re.findall(r"!\[.*\]\(([^)]+\.png)\)", page.read_text("utf-8"))}
        assert shown == {file for file in committed if file.parent == page.parent and file.suffix == ".png"}


@pytest.mark.parametrize("name", ["tiny", "esc10-bank"])
def test_rows_stand_under_their_headings(name) -> None:
    text = (ROOT / "reports" / name / "full_grid" / "report.md").read_text("utf-8")
    first = re.search(r"^\| variant .*?\n\n", text, re.DOTALL | re.MULTILINE).group()
    names = [line.split("|")[1].strip() for line in first.splitlines()[2:] if line]
    found = {heading: [row for row in rows if row in names] for heading, rows in GROUPS.items()}
    assert names == [each for heading, rows in found.items() if rows for each in (f"*{heading}*", *rows)]
