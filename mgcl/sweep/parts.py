"""Ablation of the tiny model's objective: models trained with and without its parts, judged on development classes."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pandas as pd
from joblib import cpu_count

from mgcl.backbones import tiny
from mgcl.data import soundscapes
from mgcl.data.soundscapes.recipes import VERSION
from mgcl.errors import run_and_exit
from mgcl.extraction.extract import extract
from mgcl.features import FeatureBank
from mgcl.home import home
from mgcl.pretraining import pretrain
from mgcl.pretraining.training import Plan
from mgcl.reporting import report
from mgcl.reporting.statistics import t_interval
from mgcl.sweep.grid import Sweep, plan
from mgcl.sweep.trial import run_trial, similarity_store
from mgcl.tracking.runs import row_and_column


@dataclass(frozen=True)
class PartsStudy:
    """Specification of the ablation; every row is trained once per seed."""

    name: str
    rows: Mapping[str, Plan]
    seeds: tuple[int, ...]
    share: float
    """Share of the full run's training steps, in 0..1."""
    sweep: Sweep
    """Sweep that judges a model; its feature bank is made with the model."""


def main(study: PartsStudy, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a study, which has no flags, and exit with 0, 2 on bad input, or 130 after Ctrl-C."""
    argparse.ArgumentParser(description=f"Run what is missing of the study {study.name!r}.").parse_args(arguments)

    def job() -> int:
        print(f"report: {run_parts(study, home(), Path('reports'), workers=cpu_count()) / 'report.md'}")
        return 0

    run_and_exit(job)


def run_parts(study: PartsStudy, home: Path, reports: Path, *, workers: int) -> Path:
    """Train missing models, judge all models, and write ``report.md`` and ``models.csv``; resumes an interrupted study.

    Args:
        study: the study.
        home: folder for corpus, checkpoints, weights and banks.
        reports: folder in which the report's folder, called as the study, is made.
        workers: number of processes that generate clips.

    Returns:
        The report's folder.
    """
    name = f"soundscapes-development-{VERSION}"
    dataset = soundscapes.generate(home / "data" / name, split="development", workers=workers)
    found: list[dict[str, object]] = []
    for row, objective in study.rows.items():
        for seed in study.seeds:
            chosen = replace(objective, steps=round(study.share * objective.steps), seed=seed)
            folder = home / "parts" / f"{row}-{seed}-{chosen.digest}"
            if not (folder / tiny.CAPTIONS).exists():
                print(f"{row}, seed {seed}: {chosen.steps} steps", flush=True)
                pretrain(chosen, home / "pretraining", folder, workers=workers)
            if not (folder / "bank").exists():
                extract(dataset, tiny.load(str(folder)), folder / "bank")
            found.append({"row": row, "seed": seed, "steps": chosen.steps, **_judge(study.sweep, folder / "bank")})
    return _write(study, pd.DataFrame(found), _drawn(study.sweep, folder / "bank"), reports)


def _judge(sweep: Sweep, path: Path) -> dict[str, float]:
    """Name of a variant and column -> figure by the task's ranked metric, in its printed unit."""
    bank = FeatureBank.open(path)
    similarities, metric = similarity_store(bank), sweep.task.METRICS[0]
    return {
        row_and_column(each): metric.factor
        * metric.figure(run_trial(each.trial, bank, similarities=similarities).scores)
        for each in plan(sweep, bank)
    }


def _drawn(sweep: Sweep, path: Path) -> str:
    """Short description of the draws that a model is judged on."""
    return sweep.task.heading(sweep.task.place(plan(sweep, FeatureBank.open(path))[0].trial.cell))


def _write(study: PartsStudy, models: pd.DataFrame, drawn: str, reports: Path) -> Path:
    folder = report.prepare(study.name, reports)
    models.to_csv(folder / "models.csv", index=False, lineterminator="\n", float_format="%.4f")
    measured = [column for column in models if column not in ("row", "seed", "steps")]
    cells = {row: [_cell(each[column]) for column in measured] for row, each in models.groupby("row", sort=False)}
    table = pd.DataFrame.from_dict(cells, orient="index", columns=measured).to_markdown(disable_numparse=True)
    metric = study.sweep.task.METRICS[0]
    about = (
        f"The tiny model trained with parts of its objective for {models['steps'].iloc[0]:,} steps "
        f"({study.share:.0%} of the full run's), seeds {', '.join(map(str, study.seeds))}, and "
        f"judged on the development classes. {metric.name.capitalize()} in {metric.symbol}: mean ± 95 % t interval "
        f"over the seeds; {drawn}."
    )
    lines = (f"# {study.name}", about, table)
    (folder / "report.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _cell(figures: "pd.Series[float]") -> str:
    estimate = t_interval(list(figures))
    return f"{estimate.mean:.2f} ± {estimate.half_width:.2f}"
