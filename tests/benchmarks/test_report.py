"""A report over 10,000 recorded trials: every file of it."""

from pathlib import Path

import numpy as np

from mgcl.records import Convergence, Setting, TrialRun
from mgcl.reporting import report

SETTINGS, FOLDS, EPISODES, QUERIES = 20, 5, 100, 150
COLUMNS = ((5, 1), (5, 5), (10, 1), (10, 5))
ROWS = ("full", *(f"row-{index:02}" for index in range(24)))


def recorded() -> list[TrialRun]:
    random = np.random.default_rng(0)
    return [
        TrialRun(
            run_id="",
            key=f"{setting:02}{fold}{way:02}{shot:02}{row}",
            status="FINISHED",
            setting=Setting("generated", "drawn", f"{setting:064}", "seeded 15", "clip", 1, 30, EPISODES),
            variants=(row,),
            fold=fold,
            way=way,
            shot=shot,
            seed=0,
            method="mgcl",
            version=1,
            parameters={f"parameter_{index}": "1" for index in range(22)},
            accuracies=tuple((random.binomial(QUERIES, 0.8, EPISODES) / QUERIES).tolist()),
            convergence=Convergence(1000, 0),
            device="cpu",
            error="",
        )
        for setting in range(SETTINGS)
        for fold in range(FOLDS)
        for way, shot in COLUMNS
        for row in ROWS
    ]


def test_report(benchmark, tmp_path: Path) -> None:
    runs = recorded()
    benchmark.group = f"a report over {len(runs):,} trials in {SETTINGS} settings"
    benchmark.name = "mgcl"
    benchmark.extra_info.update(scale=1, facts={})
    folder = benchmark.pedantic(lambda: report.write("s", runs, tmp_path), rounds=1)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    benchmark.extra_info["facts"] = {"files": f"have {size:.1f} MB in all"}
    assert len((folder / "cells.csv").read_text().splitlines()) == 1 + SETTINGS * len(ROWS) * len(COLUMNS)
