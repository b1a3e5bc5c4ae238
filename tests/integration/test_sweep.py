"""A sweep's life: run, run again, on other workers, interrupted, killed, failed, extended."""

import functools
import json
import os
import signal
from pathlib import Path
from urllib.parse import urlparse

import psutil
import pytest

from mgcl.methods.variants import VARIANTS, Variant
from mgcl.sweep import Sweep
from mgcl.tasks import few_shot
from tests.conftest import SharedCluster
from tests.integration.conftest import SLOW, SMALL, Place, wait_until


def test_a_sweep_ends_with_its_runs_and_its_table(place: Place) -> None:
    done = place.run(*SMALL)
    assert done.returncode == 0, done.stderr
    assert "full_grid: 12 trials, 0 recorded, 12 to run" in done.stdout
    assert "12 finished, 0 failed, 0 missing" in done.stdout
    assert "12/12" in done.stderr

    statuses = place.query(
        "SELECT r.status FROM runs r JOIN tags t USING (run_uuid) WHERE t.key='kind' AND t.value='trial'"
    )
    assert statuses == [("FINISHED",)] * 12
    parents = place.query(
        "SELECT r.status FROM runs r JOIN tags t USING (run_uuid) WHERE t.key='kind' AND t.value='sweep'"
    )
    assert parents == [("FINISHED",)]

    accuracies, differences = (place.report / "report.md").read_text().split("| full minus ")
    assert [
        line.split("|")[1].strip() for line in differences.splitlines() if "±" in line and line.startswith("| ")
    ] == [
        "zero-shot",
        "without-contrast",
    ]
    rows = [line for line in accuracies.splitlines() if line.startswith("| ") and "±" in line]
    assert [row.split("|")[1].strip() for row in rows] == ["zero-shot", "full", "without-contrast"]
    assert all(row.count("±") == 4 for row in rows)
    assert all(row in done.stdout for row in rows)
    assert (place.report / "cells.csv").read_text().count("\n") == 13

    again = place.here(*SMALL)
    assert again.returncode == 0
    assert "nothing to run, all 12 trials are recorded" in again.stdout
    assert place.complete_runs() == 12

    plan = place.here(*SMALL, "--shots", "1", "3", "--plan")
    assert plan.stdout.splitlines()[-1].startswith("12 trials: 6 done, 6 missing, 0 failed; about 0:")


def test_a_run_holds_what_the_contract_says(place: Place) -> None:
    flags = ("--ways", "3", "--shots", "2", "--variants", "full", "explanations-8", "--episodes", "4", "--queries", "5")
    assert place.here(*flags, "--local").returncode == 0
    ((run_id, artifacts),) = place.query(
        "SELECT run_uuid, artifact_uri FROM runs JOIN tags t USING (run_uuid) WHERE t.key='kind' AND t.value='trial'"
    )
    tags = dict(place.query(f"SELECT key, value FROM tags WHERE run_uuid='{run_id}'"))
    assert (tags["variant"], tags["variants"]) == ("full", '["full", "explanations-8"]')
    assert {
        "way": "3",
        "shot": "2",
        "fold": "0",
        "seed": "0",
        "dataset": "generated",
        "folds": "all 6",
    }.items() <= tags.items()
    assert tags["mlflow.parentRunId"]
    parameters = dict(place.query(f"SELECT key, value FROM params WHERE run_uuid='{run_id}'"))
    assert {"alpha": "1.1", "beta": "5.0", "epsilon": "0.1", "epochs": "20", "way": "3"}.items() <= parameters.items()

    steps = place.query(
        f"SELECT step, value FROM metrics WHERE run_uuid='{run_id}' AND key='episode_accuracy' ORDER BY step"
    )
    assert [step for step, _ in steps] == [0, 1, 2, 3]
    (accuracy,) = place.query(f"SELECT value FROM latest_metrics WHERE run_uuid='{run_id}' AND key='accuracy'")[0]
    assert accuracy == pytest.approx(sum(value for _, value in steps) / 4)
    assert [float(score) for score in tags["scores.accuracy"].split()] == pytest.approx(
        [value for _, value in steps], abs=1e-6
    )

    content = json.loads((Path(urlparse(artifacts).path) / "trial.json").read_text())
    confusions, explained = content["result"]["confusions"], content["result"]["explained"]
    assert content["result"]["key"] == tags["trial_key"]
    assert [sum(map(sum, each["counts"])) for each in confusions] == [15] * 4
    assert set(explained["parts"]) == {"coarse_cache", "fine_cache", "coarse_contrast", "fine_contrast"}
    assert len(explained["segment_times"]) == 5
    for name, plan in explained["plans"].items():
        assert name.startswith(("fine_cache: clip_", "fine_contrast: class_"))
        assert sum(map(sum, plan)) == pytest.approx(1, abs=1e-3)


def test_workers_and_kills_change_no_byte(place: Place, reference: Place, shared_cluster: SharedCluster) -> None:
    killed = place.start(*SLOW, "--workers", "2")
    wait_until(lambda: place.complete_runs() >= 4, killed)
    # Ray's agents notice after a minute or two that their node is gone; what works or schedules must go at once.
    children = [each for each in psutil.Process(killed.pid).children(recursive=True) if "Agent" not in each.name()]
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = place.complete_runs()
    assert 4 <= before < 12
    assert not psutil.wait_procs(children, timeout=60)[1], "Ray outlived its driver"

    resumed = place.here(*SLOW, "--workers", "2", *shared_cluster.joined)
    assert resumed.returncode == 0, resumed.stderr
    assert f"12 trials, {before} recorded, {12 - before} to run" in resumed.stdout
    assert place.complete_runs() == 12
    assert place.report_bytes() == reference.report_bytes()


def test_ctrl_c_keeps_what_is_finished(place: Place, shared_cluster: SharedCluster) -> None:
    process = place.start(*SLOW, "--episodes", "16", "--workers", "2", *shared_cluster.joined)
    wait_until(lambda: place.complete_runs() >= 2, process)
    os.kill(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "stopped early: the same command runs the rest" in errors
    kept = place.complete_runs()
    assert 2 <= kept < 12
    assert f"{kept} finished, 0 failed, {12 - kept} missing" in output
    plan = place.here(*SLOW, "--episodes", "16", "--plan")
    assert plan.stdout.splitlines()[-1].startswith(f"12 trials: {kept} done, {12 - kept} missing, 0 failed")


def test_a_worker_that_dies_is_replaced(place: Place, shared_cluster: SharedCluster) -> None:
    process = place.start(*SLOW, "--workers", "1", *shared_cluster.joined)
    wait_until(lambda: place.complete_runs() >= 1, process)
    wait_until(shared_cluster.workers, process)
    for worker in shared_cluster.workers():
        worker.kill()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert place.complete_runs() == 12


def test_a_trial_that_fails_is_recorded_and_the_sweep_goes_on(place: Place, monkeypatch) -> None:
    monkeypatch.setitem(VARIANTS, "diverging", Variant("mgcl", {"learning_rate": 1e30}))
    sweep = Sweep("full_grid", few_shot.Draws((3,), (1,), queries=5, episodes=3), ("diverging", "zero-shot"))
    run = functools.partial(place.here, asked=sweep)
    done = run("--local")
    assert done.returncode == 1
    assert "1 finished, 1 failed, 0 missing" in done.stdout
    assert "FloatingPointError: the training loss is nan in epoch" in done.stderr
    assert "| diverging | failed" in done.stdout.replace("  ", " ").replace("  ", " ")
    assert "Failed: trial" in (place.report / "report.md").read_text()

    again = run("--local")
    assert again.returncode == 1
    assert "nothing to run" in again.stdout

    retried = run("--local", "--retry", "failed")
    assert "2 trials, 1 recorded, 1 to run" in retried.stdout
    assert run("--plan").stdout.splitlines()[-1] == "2 trials: 1 done, 0 missing, 1 failed"


def test_a_second_name_for_a_trial_runs_nothing(place: Place) -> None:
    flags = ("--local", "--ways", "2", "--shots", "1", "--episodes", "2", "--queries", "5", "--variants")
    assert place.here(*flags, "full").returncode == 0
    done = place.here(*flags, "full", "explanations-8")
    assert "nothing to run" in done.stdout
    rows = {
        line.split("|")[1].strip(): line.split("|")[2]
        for line in done.stdout.splitlines()
        if line.startswith("| ") and "±" in line
    }
    assert list(rows) == ["full", "explanations-8"]
    assert rows["full"] == rows["explanations-8"]


def test_two_drivers_that_start_together_on_a_new_store_both_end_well(place: Place) -> None:
    place.store.unlink()
    flags = ("--local", "--ways", "2", "--shots", "1", "--episodes", "2", "--queries", "5", "--variants", "zero-shot")
    drivers = [place.start(*flags) for _ in range(2)]
    for driver in drivers:
        output, errors = driver.communicate(timeout=300)
        assert driver.returncode == 0, errors
        assert "1 finished, 0 failed, 0 missing" in output
    assert place.here(*flags, "--plan").stdout.splitlines()[-1] == "1 trials: 1 done, 0 missing, 0 failed"
