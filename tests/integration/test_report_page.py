"""A report's page in a browser: tables sort by their heads, with mouse or keys."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.unit.test_report import draw

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
GROUPED = [
    "Baselines",
    "zero-shot",
    "Method",
    "full",
    "Table 2: fusion & more",
    "audio-only",
    "Other",
    "explanations-8",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator["Page"]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as started:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page()
        page.goto((draw(tmp_path_factory.mktemp("page")) / "index.html").as_uri())
        yield page
        browser.close()


@pytest.fixture
def table(page) -> "Locator":
    page.reload()
    return page.locator("table").first


def rows(table: "Locator") -> list[str]:
    return [each.inner_text() for each in table.locator("tbody tr > :first-child").all()]


def orders(table: "Locator") -> list[str | None]:
    return [each.get_attribute("aria-sort") for each in table.locator("thead th").all()]


def test_a_head_sorts_by_value_and_a_third_click_restores(table) -> None:
    assert rows(table) == GROUPED
    head = table.get_by_role("button", name="5-way 1-shot")
    head.click()
    assert rows(table) == ["zero-shot", "audio-only", "full", "explanations-8"]
    assert orders(table) == [None, "ascending", None]
    head.click()
    assert rows(table) == ["full", "explanations-8", "audio-only", "zero-shot"]
    assert orders(table) == [None, "descending", None]
    head.click()
    assert rows(table) == GROUPED
    assert orders(table) == [None, None, None]


def test_what_was_not_run_comes_last_both_ways(table) -> None:
    head = table.get_by_role("button", name="5-way 10-shot")
    for _ in range(2):
        head.click()
        assert rows(table)[-1] == "zero-shot"


def test_another_head_takes_over_and_names_sort_as_words(table) -> None:
    table.get_by_role("button", name="5-way 10-shot").click()
    table.get_by_role("button", name="variant").click()
    assert rows(table) == ["audio-only", "explanations-8", "full", "zero-shot"]
    assert orders(table) == ["ascending", None, None]


def test_keys_sort_too_and_the_focus_stays(table) -> None:
    page = table.page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert orders(table) == ["ascending", None, None]
    page.keyboard.press("Space")
    assert rows(table) == ["zero-shot", "full", "explanations-8", "audio-only"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert orders(table) == [None, "ascending", None]
