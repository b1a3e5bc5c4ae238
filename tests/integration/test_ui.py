"""MLflow's page as a user gets it: the server on a real store, the view, whole results, and a report in a browser."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

from mgcl.reporting.figures import draw, needed
from mgcl.reporting.outline import Outline
from mgcl.reporting.report import write
from mgcl.reporting.tables import build
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from mgcl.tracking import rows
from mgcl.tracking.record import Tracking, details
from mgcl.tracking.runs import trial_json, trial_result
from mgcl.tracking.store import newest_experiment
from tests import cases
from tests.integration.conftest import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

SWEEP = cases.sweep("s", ("full", "zero-shot"), ways=(2,), shots=(1, 2), queries=5, episodes=2)
OUTLINE = Outline()
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>
addEventListener("load", () => {
    const seen = each => each.getBoundingClientRect().width > 0
    document.title = JSON.stringify({
        broken: [...document.images].filter(each => !each.naturalWidth).length,
        pictures: [...document.querySelectorAll("svg")].filter(seen).length,
        fetched: performance.getEntriesByType("resource").filter(each => !each.name.startsWith("data:")).length,
    })
})
</script>"""
MGCL = "from mgcl.cli import main; main()"


@pytest.fixture
def store(tmp_path, empty_store, bank) -> Tracking:
    """Of a sweep that has run."""
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    store = Tracking.open("s", f"sqlite:///{tmp_path / 'mlflow.db'}")
    for cell in plan(SWEEP, bank):
        store.record(cell, run_trial(cell.trial, bank), bank, {})
    return store


def test_whole_results_come_back_and_a_lost_one_is_left_out(store, bank) -> None:
    runs = needed(build(store.runs()), OUTLINE)
    assert [run.column for run in runs] == [(2, 2), (2, 2)]
    found = details(runs, store.uri)
    for cell in plan(SWEEP, bank):
        if cell.trial.cell.shot == 2:
            result = found[cell.trial.key]
            assert result.confusions == run_trial(cell.trial, bank).confusions
            assert trial_result(trial_json(cell, result)) == result
    lost = Path(store.client.get_run(runs[0].run_id).info.artifact_uri.removeprefix("file://"))
    shutil.rmtree(lost)
    assert list(details(runs, store.uri)) == [runs[1].key]


def test_a_reports_files_are_kept_with_the_sweep(store, tmp_path) -> None:
    (tmp_path / "index.html").write_text("<html>")
    store.keep([tmp_path / "index.html"])
    assert "index.html" in [file.path for file in store.client.list_artifacts(store.parent_id)]


def test_the_newest_sweep_is_the_one_that_ran_last(store, bank) -> None:
    assert newest_experiment(store.uri) == store.experiment_id
    later = Tracking.open("later", store.uri)
    assert newest_experiment(store.uri) == later.experiment_id
    cell = plan(SWEEP, bank)[0]
    store.record(cell, run_trial(cell.trial, bank), bank, {})
    assert newest_experiment(store.uri) == store.experiment_id


def test_the_view_groups_by_variant(store) -> None:
    tags = store.client.get_experiment(store.experiment_id).tags
    view = json.loads(tags["mlflow.sharedViewState.mgcl"])
    assert view["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "variant"}]


@contextmanager
def served(store: Tracking, ending: signal.Signals) -> "Iterator[str]":
    """The address that `mgcl ui` prints; the server leaves with the command."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", MGCL, "ui", "--no-browser", "--port", str(port), "--tracking-uri", store.uri],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == "starting MLflow's server ...\n"
        page = process.stdout.readline().removeprefix("runs: ").strip()
        experiment = f"/#/experiments/{store.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=mgcl"
        assert page == f"http://127.0.0.1:{port}{experiment}"
        yield page
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        process.send_signal(ending)
        assert process.wait(timeout=30) == 0
        assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_server_answers_and_leaves_with_the_command(store) -> None:
    with served(store, signal.SIGTERM) as page:
        assert "<html" in requests.get(page, timeout=30).text


def _names(page: "Page") -> list[str]:
    """Of the runs, as they are seen from top to bottom."""
    links = page.locator("a[href*='/runs/']").all()
    return [link.inner_text() for link in sorted(links, key=lambda link: link.bounding_box()["y"])]


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")
def test_the_page_opens_on_the_rows_which_are_sorted_and_compared(store) -> None:
    """A run per row of the table, in its order; MLflow itself lists trials (mlflow #3762, #2730)."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    rows.write(store, store.runs())
    (table,) = build(store.runs())
    with playwright.sync_playwright() as started, served(store, signal.SIGINT) as address:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(address)
        page.locator("a[href*='/runs/']").nth(1).wait_for()
        assert _names(page) == list(table.rows)
        head = page.get_by_role("columnheader", name="accuracy 2-way 1-shot").last
        orders = []
        for _ in range(2):
            head.click()
            page.wait_for_timeout(3000)
            orders.append(_names(page))
        assert sorted(orders) == sorted([list(table.rows), list(table.rows)[::-1]])
        page.get_by_role("checkbox", name="Select all runs").click()
        page.get_by_role("button", name="Compare").click()
        page.get_by_text("Comparing 2 Runs").first.wait_for()
        browser.close()


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")
def test_a_report_opens_in_a_browser_without_a_network_and_no_picture_is_missing(store, tmp_path) -> None:
    runs = store.runs()
    figures = draw(build(runs), details(needed(build(runs), OUTLINE), store.uri), OUTLINE)
    page = write("s", runs, tmp_path, figures=figures) / "index.html"
    page.write_text(page.read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    offline = ["--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND"]
    home = f"--user-data-dir={tmp_path / 'chromium'}"
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", home, *offline, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    title = re.search("<title>(.*?)</title>", shown.stdout).group(1)
    assert len(figures) >= 4
    assert json.loads(html.unescape(title)) == {"broken": 0, "pictures": len(figures), "fetched": 0}
