"""A task of another family goes through every room: grid, trials, record, tables, significance, search, values."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from optuna.study import StudyDirection

from mgcl import catalogue
from mgcl.records import TrialRun
from mgcl.reporting.significance import compare
from mgcl.reporting.tables import build
from mgcl.search.questions import Search, questions
from mgcl.search.sampling import SteadySampler, distributions
from mgcl.search.space import Range
from mgcl.search.study import best, complete, ended, figure_of, open_study
from mgcl.sweep import Sweep, main
from mgcl.sweep.chosen import Choice, Chosen, read_chosen, write_chosen
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from mgcl.tracking.record import recorded_runs
from tests import tagging

SWEEP = Sweep(
    "tagging",
    tagging.Draws(),
    ("without-training", "prototypical", "zero-shot"),
    reference="without-training",
    baselines=("zero-shot",),
)


@pytest.fixture(autouse=True, scope="module")
def known(tmp_path_factory) -> Iterator[None]:
    """The catalogue finds the task, in this process alone."""
    files = catalogue._files
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            catalogue,
            "_files",
            lambda kind: {**files(kind), **({"tagging": "tests.tagging"} if kind == "task" else {})},
        )
        patch.setenv("MGCL_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def done(bank, tmp_path_factory) -> tuple[list[TrialRun], Path]:
    """The runs of the sweep, and its report."""
    return swept(bank, tmp_path_factory.mktemp("swept"))


def swept(bank, tmp_path, *flags: str):
    """Runs and the report's folder of a sweep that ran in this process."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    where = ["--bank", str(bank.path), "--local", "--tracking-uri", uri, "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended, parallel_config("threading"):
        main(SWEEP, [*where, *flags])
    assert ended.value.code == 0
    return recorded_runs("tagging", uri), tmp_path / "tagging"


def counts(runs, row: str, column: int) -> np.ndarray:
    """Hits, false alarms and misses of each clip, shape (clips, 3)."""
    (run,) = (each for each in runs if row in each.variants and each.column == (column,))
    return np.array([run.scores[name] for name in tagging.COUNTS]).T


def f1(numbers: np.ndarray) -> float:
    hits, false_alarms, misses = numbers.sum(0)
    return 2 * hits / (2 * hits + false_alarms + misses)


def errors(numbers: np.ndarray) -> float:
    hits, false_alarms, misses = numbers.sum(0)
    return (false_alarms + misses) / (hits + misses)


def resampled(figure, clips: int) -> np.ndarray:
    """A figure of 2,000 draws of as many clips, with replacement."""
    random = np.random.default_rng(5)
    return np.array([figure(random.integers(clips, size=clips)) for _ in range(2000)])


def test_its_report_has_the_figures_of_a_direct_computation(done) -> None:
    runs, folder = done
    assert len(runs) == 6
    with (folder / "cells.csv").open() as file:
        cells = {(line["variant"], int(line["known"])): line for line in csv.DictReader(file)}
    for (row, column), line in cells.items():
        numbers = counts(runs, row, column)
        assert numbers.shape == (6 * (16 - column), 3)
        assert float(line["error rate"]) == pytest.approx(errors(numbers), abs=1e-4)
        assert float(line["micro-F1_percent"]) == pytest.approx(100 * f1(numbers), abs=1e-4)
        assert float(line["false_alarms"]) == pytest.approx(numbers[:, 1].mean(), abs=1e-4)
        drawn = resampled(lambda index, of=numbers: errors(of[index]), len(numbers))
        half = np.diff(np.quantile(drawn, (0.025, 0.975)))[0] / 2
        assert float(line["half_width"]) == pytest.approx(half, rel=0.1)
    text = (folder / "report.md").read_text()
    assert "Error rate: over all clips ± 95 % bootstrap interval (half its width) over the clips" in text
    assert "micro-F1 in %: over all clips ± 95 % bootstrap interval" in text
    assert "Bold: the lowest value of a column" in text
    table = re.search(r"^\| variant .*?\n\n", text, re.MULTILINE | re.DOTALL).group()
    lowest = {column: min(errors(counts(runs, row, column)) for row in SWEEP.variants) for column in (2, 4)}
    assert {f"{each:.3f}" for each in lowest.values()} == set(re.findall(r"\*\*([\d.]+) ±", table))


def test_what_the_zero_shot_row_counts_is_what_cosines_say(bank) -> None:
    (planned, _) = plan(replace(SWEEP, variants=("zero-shot",)), bank)
    result = run_trial(planned.trial, bank)

    def unit(vectors):
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    logits = bank.header.logit_scale * unit(bank.clip_embeddings) @ unit(bank.prompt_embeddings).T
    _, tagged, labels = tagging.rows(planned.trial.cell, bank)
    for row, label, hit, false_alarms in zip(
        tagged, labels, result.scores["hits"], result.scores["false_alarms"], strict=True
    ):
        given = {each for each, logit in enumerate(logits[row]) if logit >= logits[row].max() - 2}
        assert (hit, false_alarms) == (label in given, len(given - {label}))


@pytest.mark.parametrize(("number", "figure"), [(0, errors), (1, f1)])
def test_differences_are_of_the_summaries_and_their_intervals_are_bootstrapped(done, number, figure) -> None:
    runs, _ = done
    table = build(runs, SWEEP.variants)[number]
    better = -1 if number == 0 else 1
    for each in compare(table, "without-training"):
        one, other = (counts(runs, row, each.column[0]) for row in (each.reference, each.row))
        assert each.difference.mean == pytest.approx(figure(one) - figure(other))
        drawn = resampled(lambda index, a=one, b=other: figure(a[index]) - figure(b[index]), len(one))
        low, high = np.quantile(drawn, (0.025, 0.975))
        width = high - low
        assert (each.low, each.high) == pytest.approx((low, high), abs=0.06 * width)
        assert each.difference.half_width == pytest.approx(width / 2, rel=0.08)
        assert each.ahead == (better * (figure(one) - figure(other)) > 0)
        random = np.random.default_rng(3)
        swapped = random.integers(2, size=(2000, len(one), 1)).astype(bool)
        flipped = [abs(figure(np.where(each, one, other)) - figure(np.where(each, other, one))) for each in swapped]
        expected = np.mean(np.array(flipped) >= abs(figure(one) - figure(other)) - 1e-9)
        assert each.p == pytest.approx(expected, abs=5 * np.sqrt(expected / 2000) + 1e-3)


def test_a_search_minimises_what_is_the_better_the_lower_and_a_sweep_takes_its_values(bank, tmp_path) -> None:
    search = Search(
        "search", tagging.Draws((2,)), variant="without-training", batches=2, space={"alpha": Range(0.1, 30, log=True)}
    )
    (question,) = questions(search, bank)
    assert {trial.cell.part.name for batch in question.batches for trial in batch} == {"odd"}
    assert [batch[0].cell.margin for batch in question.batches] == [2, 3]
    assert question.name == "search/generated/drawn/without-training/even"
    assert [each.place for each in questions(replace(search, apart=True), bank)] == ["even 2-known"]
    with open_study(question, f"sqlite:///{tmp_path / 'studies.db'}") as study:
        assert study.direction == StudyDirection.MINIMIZE
        while len(ended(study)) < 8:
            study.sampler = SteadySampler.of(question.sampler, question.seed)
            point = study.ask(fixed_distributions=distributions(question.space))
            results = [run_trial(trial, bank) for batch in question.at(point.params) for trial in batch]
            study.tell(point, np.mean([question.metric.figure(each.scores) for each in results]))
        found = best(study)
        assert figure_of(found) == min(map(figure_of, complete(study))) < max(map(figure_of, complete(study)))
    values = question.typed(found.params)
    chosen = Chosen(
        "tagging", bank.digest, search.variant, (Choice(question.tests, None, values, figure_of(found), 8),)
    )
    write_chosen(tmp_path / "params.json", chosen)
    assert read_chosen(tmp_path / "params.json", bank.digest, "tagging") == chosen
    runs, folder = swept(
        bank, tmp_path, "--params", str(tmp_path / "params.json"), "--known", "2", "--variants", search.variant
    )
    assert {dict(run.setting.drawn)["part"] for run in runs} == {"even"}
    own, searched = "without-training", f"without-training (searched {chosen.name})"
    assert {row for run in runs for row in run.variants} == {own, searched}
    (comparison,) = (each for each in compare(build(runs)[0], searched) if each.row == own)
    text = (folder / "report.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith(f"- {searched} against its own values, 2-known"))
    difference, half = comparison.difference.mean, comparison.difference.half_width
    words = "no better" if abs(difference) <= half else "better" if difference < 0 else "worse"
    assert f" {words}" in line
    assert ("no better" in line) == (words == "no better")
