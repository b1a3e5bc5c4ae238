"""A report over 10,000 recorded trials: every file and every picture of it."""

from pathlib import Path

import numpy as np

from mgcl.details import Confusion, ExplainedClip
from mgcl.methods.variants import FEW_SHOT
from mgcl.records import NO_TRANSPORT, Convergence, TrialResult, TrialRun
from mgcl.reporting import figures, report, tables
from mgcl.reporting.outline import Outline
from tests import cases

SETTINGS, FOLDS, EPISODES, QUERIES = 20, 5, 100, 150
COLUMNS = ((5, 1), (5, 5), (10, 1), (10, 5))
ROWS = tuple(FEW_SHOT)[:25]
CLASSES, SEGMENTS, EXPLANATIONS = tuple(f"class {index:02}" for index in range(15)), 16, 8


def recorded() -> list[TrialRun]:
    random = np.random.default_rng(0)
    return [
        TrialRun(
            run_id="",
            key=f"{setting:02}{fold}{way:02}{shot:02}{row}",
            status="FINISHED",
            setting=cases.setting(
                dataset="generated",
                backbone="drawn",
                bank=f"{setting:064}",
                folds="seeded 15",
                queries=30,
                episodes=EPISODES,
            ),
            variants=(row,),
            column=(way, shot),
            pooled=(fold, 0),
            method="mgcl",
            version=1,
            parameters={f"parameter_{index}": "1" for index in range(22)},
            scores={"accuracy": tuple((random.binomial(QUERIES, 0.8, EPISODES) / QUERIES).tolist())},
            convergence=Convergence(1000, 0),
            device="cpu",
            error="",
        )
        for setting in range(SETTINGS)
        for fold in range(FOLDS)
        for way, shot in COLUMNS
        for row in ROWS
    ]


def result(key: str) -> TrialResult:
    """Of a 10-way trial: a tenth of a class's query clips is taken for its neighbour, and so is the clip shown."""
    random = np.random.default_rng(1)
    confusion = tuple(map(tuple, (27 * np.eye(10, dtype=int) + 3 * np.eye(10, k=1, dtype=int)).tolist()))
    episodes = tuple(
        Confusion(tuple(sorted(random.choice(CLASSES, 10, replace=False))), confusion) for _ in range(EPISODES)
    )
    plans = {f"fine_contrast: {label}": random.dirichlet(np.ones(EXPLANATIONS), SEGMENTS) for label in CLASSES[:10]}
    explained = ExplainedClip("clip", CLASSES[0], CLASSES[1], tuple(np.arange(SEGMENTS) / 4 + 0.125), {}, plans)
    return TrialResult(key, {"accuracy": (0.9,)}, NO_TRANSPORT, 1.0, "cpu", 1, "here", episodes, explained)


def test_report(benchmark, tmp_path: Path) -> None:
    runs = recorded()
    results = {run.key: result(run.key) for run in figures.needed(tables.build(runs), Outline())}

    def draw() -> Path:
        return report.write("s", runs, tmp_path, figures=figures.draw(tables.build(runs), results, Outline()))

    benchmark.group = f"a report over {len(runs):,} trials in {SETTINGS} settings, with its pictures"
    benchmark.name = "mgcl"
    benchmark.extra_info.update(scale=1, facts={})
    folder = benchmark.pedantic(draw, rounds=1)
    size, pictures = sum(file.stat().st_size for file in folder.iterdir()) / 1e6, len([*folder.glob("*.png")])
    benchmark.extra_info["facts"] = {"files": f"have {size:.1f} MB in all, {pictures} pictures drawn twice"}
    assert len((folder / "cells.csv").read_text().splitlines()) == 1 + SETTINGS * len(ROWS) * len(COLUMNS)
    assert pictures == SETTINGS * (5 + FOLDS)
