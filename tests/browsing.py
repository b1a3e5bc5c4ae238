"""A headless browser for tests of pages; who lacks playwright or chromium skips them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 120


@contextmanager
def browser(*flags: str) -> "Iterator[Page]":
    """A page in a headless chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *flags])
        page = chromium.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(1000 * SECONDS)
        yield page
        chromium.close()
