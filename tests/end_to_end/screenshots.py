"""The screenshots of docs/, drawn by a headless chromium from a store and a report.

    pip install playwright
    python tests/end_to_end/screenshots.py --tracking-uri sqlite:///.mgcl/mlflow.db --report reports/full_grid

It shows the rows of the store's newest sweep, and all of them compared. The demo is drawn if --model and --clip are
named.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def main() -> None:
    from playwright.sync_api import sync_playwright  # no dependency: only who draws them anew needs it

    parser = argparse.ArgumentParser(description="Draw the screenshots of docs/.")
    parser.add_argument("--tracking-uri", required=True, metavar="URI")
    parser.add_argument("--report", type=Path, required=True, metavar="DIR", help="with its index.html")
    parser.add_argument("--model", type=Path, metavar="DIR", help="that `mgcl fit` wrote, for the demo")
    parser.add_argument("--clip", type=Path, metavar="FILE", help="to show in the demo")
    parser.add_argument("--out", type=Path, default=Path("reports/screenshots"), metavar="DIR")
    parser.add_argument("--chromium", default=shutil.which("chromium"), metavar="FILE")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, _served("ui", "--tracking-uri", flags.tracking_uri) as address:
        browser = playwright.chromium.launch(executable_path=flags.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 860})
        page.goto(address)
        _close_what_is_in_the_way(page)
        page.locator("a[href*='/runs/']").first.wait_for()
        page.screenshot(path=flags.out / "runs.png")

        page.get_by_role("checkbox", name="Select all runs").click()
        page.get_by_role("button", name="Compare").click()
        page.get_by_text(re.compile(r"Comparing \d+ Runs")).first.wait_for()
        page.wait_for_timeout(5000)
        page.screenshot(path=flags.out / "compare.png")

        page.set_viewport_size({"width": 1100, "height": 1400})
        page.goto((flags.report / "index.html").absolute().as_uri())
        page.screenshot(path=flags.out / "report.png")
        if flags.model:
            _demo(page, flags.model, flags.clip, flags.out / "demo.png")
        browser.close()


def _demo(page: "Page", model: Path, clip: Path, out: Path) -> None:
    with _served("demo", str(model)) as address:
        page.set_viewport_size({"width": 1300, "height": 1150})
        page.goto(address)
        page.locator("input[type=file]").first.set_input_files(clip)
        page.locator("figure svg").first.wait_for()
        page.wait_for_timeout(1000)
        page.screenshot(path=out)


@contextmanager
def _served(*command: str) -> Iterator[str]:
    """The address of a command's page, as long as the context lasts."""
    mgcl = [sys.executable, "-c", "from mgcl.cli import main; main()"]
    process = subprocess.Popen([*mgcl, *command, "--no-browser", "--port", "5399"], text=True, stdout=subprocess.PIPE)
    try:
        for line in process.stdout or ():
            if line.startswith(("runs: ", "demo: ")):
                yield line.split()[1]
                break
        else:
            raise SystemExit(process.wait())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _close_what_is_in_the_way(page: "Page") -> None:
    page.wait_for_timeout(6000)
    for name in ("Close", "Exit"):
        for button in page.get_by_role("button", name=name, exact=True).all():
            button.click()


if __name__ == "__main__":
    main()
