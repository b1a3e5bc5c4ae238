"""Ablation of the tiny model's objective: models trained with and without its parts, judged on development classes."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, NoReturn

import pandas as pd
from joblib import cpu_count

from mgcl.backbones import tiny
from mgcl.catalogue import load
from mgcl.data.soundscapes import recipes, sets
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
from mgcl.tasks import Metric
from mgcl.tracking.runs import row_and_column

_SPLIT = "development"


class Training(NamedTuple):
    """Training of a row, once per seed."""

    plan: Plan
    seeds: Sequence[int] = (0, 1, 2)


@dataclass(frozen=True)
class PartsStudy:
    """Specification of the ablation."""

    name: str
    rows: Mapping[str, Training]
    """Name of a row -> its training. Every row is compared with the first one, and with the one above it."""
    sweeps: tuple[Sweep, ...]
    """Sweeps that judge a model, each on the generated set of its task."""


def main(study: PartsStudy, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a study, which has no flags, and exit with 0, 2 on bad input, or 130 after Ctrl-C."""
    argparse.ArgumentParser(description=f"Run what is missing of the study {study.name!r}.").parse_args(arguments)

    def job() -> int:
        print(f"report: {run_parts(study, home(), Path('reports'), workers=cpu_count()) / 'report.md'}")
        return 0

    run_and_exit(job)


def run_parts(study: PartsStudy, home: Path, reports: Path, *, workers: int) -> Path:
    """Train missing models, judge all models, and write ``report.md`` and ``models.csv``; resumes an interrupted study.

    The report is written after each row, with the rows until then.

    Args:
        study: the study.
        home: folder for corpus, checkpoints, weights and banks.
        reports: folder in which the report's folder, called as the study, is made.
        workers: number of processes that generate clips.

    Returns:
        The report's folder.
    """
    folder = report.prepare(study.name, reports)
    found: list[dict[str, object]] = []
    drawn: dict[str, str] = {}
    for row, training in study.rows.items():
        for seed in training.seeds:
            chosen = replace(training.plan, seed=seed)
            model = home / "parts" / f"{row}-{seed}-{chosen.digest}"
            if not (model / tiny.CAPTIONS).exists():
                print(f"{row}, seed {seed}: {chosen.steps} steps", flush=True)
                pretrain(chosen, home / "pretraining", model, workers=workers)
            for sweep in study.sweeps:
                bank = _bank(sweep, model, home / "data", workers)
                drawn[sweep.name] = sweep.task.heading(sweep.task.place(plan(sweep, bank)[0].trial.cell))
                about = {"row": row, "seed": seed, "steps": chosen.steps, "task": sweep.name}
                found += [about | each for each in _judged(sweep, bank)]
        _write(study, pd.DataFrame(found), drawn, folder)
    return folder


def _bank(sweep: Sweep, model: Path, data: Path, workers: int) -> FeatureBank:
    """The bank of a model's outputs for the development classes' set of a sweep's task."""
    name = sweep.task.GENERATED
    version = recipes.VERSION if name == "soundscapes" else sets.VERSION
    path = model / f"{name}-bank"
    if not path.exists():
        dataset = load("dataset", name).generate(data / f"{name}-{_SPLIT}-{version}", split=_SPLIT, workers=workers)
        extract(dataset, tiny.load(str(model)), path)
    return FeatureBank.open(path)


def _judged(sweep: Sweep, bank: FeatureBank) -> Iterator[dict[str, object]]:
    """Yield the figures of all rows, columns and metrics of a sweep."""
    similarities = similarity_store(bank)
    for each in plan(sweep, bank):
        scores = run_trial(each.trial, bank, similarities=similarities).scores
        for metric in sweep.task.METRICS:
            yield {"column": row_and_column(each), "metric": metric.name, "figure": metric.figure(scores)}


def _write(study: PartsStudy, models: pd.DataFrame, drawn: Mapping[str, str], folder: Path) -> None:
    models.to_csv(folder / "models.csv", index=False, lineterminator="\n", float_format="%.5g")
    first = next(iter(study.rows))
    from_first = {row: first for row in study.rows if row != first}
    from_above = {row: above for above, row in pairwise(study.rows)}
    lines = [
        f"# {study.name}",
        f"The tiny model trained with parts of its objective for {models['steps'].iloc[0]:,} steps, and judged on the "
        "development classes: mean ± 95 % t interval over the seeds. Models of one seed saw the same batches, so their "
        "differences are paired, over the seeds that both rows have.",
    ]
    for sweep in study.sweeps:
        figures = models[models["task"] == sweep.name]
        lines += [f"## {sweep.name.replace('_', ' ').capitalize()}", f"{drawn[sweep.name].capitalize()}."]
        lines += [_table(sweep, figures)]
        for words, other in (
            (f"Differences from {first}:", from_first),
            ("Differences from the row above:", from_above),
        ):
            if not (gains := _gains(figures, other)).empty:
                lines += [words, _table(sweep, gains, sign="+")]
    (folder / "report.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def _gains(figures: pd.DataFrame, compared_with: Mapping[str, str]) -> pd.DataFrame:
    """Figures of each row minus those of another one, by seed, column and metric, for the seeds that both have.

    Args:
        figures: figures of a task.
        compared_with: row -> the other one; rows without figures are left out.
    """
    of_row = {name: each.set_index(["seed", "column", "metric"])["figure"] for name, each in figures.groupby("row")}
    found = [
        of_row[row].sub(of_row[other]).reindex(of_row[row].index).dropna().reset_index().assign(row=row)
        for row, other in compared_with.items()
        if row in of_row and other in of_row
    ]
    return pd.concat(found) if found else pd.DataFrame()


def _table(sweep: Sweep, figures: pd.DataFrame, *, sign: str = "") -> str:
    """A row per training, a column per row, column and metric of the sweep; number of seeds, mean and interval."""
    metrics = {metric.name: metric for metric in sweep.task.METRICS}
    cells = {
        (row, f"{column}, {metrics[name].title}"): _cell(metrics[name], each["figure"], sign)
        for (row, column, name), each in figures.groupby(["row", "column", "metric"], sort=False)
    }
    table = pd.Series(cells).unstack(sort=False)
    table.insert(0, "seeds", figures.groupby("row", sort=False)["seed"].nunique())
    return str(table.to_markdown(disable_numparse=True))


def _cell(metric: Metric, figures: "pd.Series[float]", sign: str) -> str:
    estimate = t_interval(list(figures))
    return f"{metric.text(estimate.mean, sign)} ± {metric.text(estimate.half_width)}"
