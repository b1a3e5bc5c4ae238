"""MLflow's page on a store of many trials: seconds until each view is shown in a headless chromium.

    pip install playwright
    PYTHONPATH=. python tests/benchmarks/mlflow_page.py --tracking-uri sqlite:///FOLDER/mlflow.db

``many_runs.py`` writes such a store. The page is that of ``mgcl ui``. A view is shown once the list of runs is there.
Processor seconds are of all processes of the server, and of the browser; on
a machine with nothing else to do, a view takes about as long as both together.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import pandas as pd
import psutil

if TYPE_CHECKING:
    from playwright.sync_api import Page

SECONDS = 600
TRIALS = "tags.kind = 'trial'"
ONE_ROW = f"{TRIALS} AND tags.variant = 'full' AND params.way = '5' AND params.shot = '5'"
VIEWS = {
    "the rows, as `mgcl ui` opens": None,
    "rows sorted by a metric": {"searchFilter": "tags.kind = 'row'", "orderByKey": "metrics.`accuracy 5-way 5-shot`"},
    "all trials, newest first": {"searchFilter": TRIALS},
    "trials found by tag": {"searchFilter": f"{TRIALS} AND tags.method = 'zero_shot'"},
    "trials of one row and column": {"searchFilter": ONE_ROW},
    "all trials, sorted by a metric": {"searchFilter": TRIALS, "orderByKey": "metrics.`accuracy`"},
    "trials of one row and column, as charts": {"searchFilter": ONE_ROW, "compareRunsMode": "CHART"},
    "no filter, newest first": {"searchFilter": ""},
}


def main() -> None:
    from playwright.sync_api import sync_playwright  # no dependency: only who measures the page needs it

    parser = argparse.ArgumentParser(description="Time MLflow's page.")
    parser.add_argument("--tracking-uri", required=True, metavar="URI")
    parser.add_argument("--chromium", default=shutil.which("chromium"), metavar="FILE")
    parser.add_argument("--port", type=int, default=5398)
    flags = parser.parse_args()
    lines = []
    began = time.perf_counter()
    with _served(flags.tracking_uri, flags.port) as (address, server), sync_playwright() as playwright:
        lines.append(_line("start of the server", time.perf_counter() - began, (_processor(server), 0.0), server))
        browser = playwright.chromium.launch(executable_path=flags.chromium, args=["--no-sandbox"])
        for view, asked in VIEWS.items():
            page = browser.new_page(viewport={"width": 1400, "height": 860})
            page.set_default_timeout(1000 * SECONDS)
            before, began = (_processor(server), _processor(_browser())), time.perf_counter()
            _shown(page, address if asked is None else _place(address, asked))
            seconds = time.perf_counter() - began
            spent = _processor(server) - before[0], _processor(_browser()) - before[1]
            lines.append(_line(view, seconds, spent, server))
            print(lines[-1], file=sys.stderr, flush=True)
            page.close()
        browser.close()
    print(pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True))


def _place(address: str, asked: dict[str, str]) -> str:
    """Address of a view: MLflow's page reads filter, order and charts from it."""
    page = address.split("?")[0]
    fixed = {"workflowType": "machine_learning", "orderByAsc": "false", "startTime": "ALL", "lifecycleFilter": "Active",
             "modelVersionFilter": "All Runs", "datasetsFilter": "W10=",
             "orderByKey": "attributes.start_time"}  # fmt: skip
    return f"{page}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in (fixed | asked).items())


def _shown(page: "Page", address: str) -> None:
    with page.expect_response(lambda response: "runs/search" in response.url):
        page.goto(address)
    page.locator("a[href*='/runs/']").first.wait_for()


def _line(view: str, seconds: float, processor: tuple[float, float], server: psutil.Process) -> dict[str, str]:
    memory = sum(each.memory_info().rss for each in [server, *server.children(recursive=True)]) / 1e6
    return {"view": view, "seconds": f"{seconds:.1f}", "processor seconds of the server": f"{processor[0]:.1f}",
            "of the browser": f"{processor[1]:.1f}", "memory of the server": f"{memory:.0f} MB"}  # fmt: skip


def _browser() -> psutil.Process:
    """The driver's process, which is the parent of the browser's."""
    return next(each for each in psutil.Process().children() if "playwright" in " ".join(each.cmdline()))


def _processor(of: psutil.Process) -> float:
    """Processor seconds of a process and its children, those that have ended among them."""
    return sum(sum(each.cpu_times()[:4]) for each in [of, *of.children(recursive=True)])


@contextmanager
def _served(uri: str, port: int) -> Iterator[tuple[str, psutil.Process]]:
    """Address of the page of ``mgcl ui``, and its process."""
    command = ["-c", "from mgcl.cli import main; main()", "ui", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *command, "--tracking-uri", uri], text=True, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        for line in process.stdout or ():
            if line.startswith("runs: "):
                yield line.split()[1], psutil.Process(process.pid)
                break
        else:
            raise SystemExit(process.wait())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


if __name__ == "__main__":
    main()
