"""The published figures and settings of AV-DIFF: copied whole, and printed beside ours without a difference."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from mgcl.records import Setting
from mgcl.reporting import blocks, report
from mgcl.reporting import published as published_figures
from mgcl.reporting.tables import Column, Table
from mgcl.tasks import Metric

FIGURES = Path(__file__).parents[3] / "shared" / "facts" / "published_avdiff.csv"
METRICS = {"HM": "hm", "B": "base", "N": "novel", "FSL": "fsl"}
SOURCE = "AV-DIFF (GCPR 2023, arXiv 2309.03869), "


@dataclass(frozen=True)
class Shots(Table):
    """A table of shots, whatever its task."""

    @property
    def blocks(self) -> int:
        return 3

    @property
    def ranked(self) -> bool:
        return True

    def name_of(self, column: Column) -> str:
        return f"{column[0]}-shot"


def table(dataset: str, metric: str = "hm", rows: tuple[str, ...] = ("av-diff", "audio", "linear-probe")) -> Table:
    drawn = (("draws", 3), ("base_classes", 27), ("novel_classes", 9))
    setting = Setting("generalised", 1, dataset, "tiny", "b" * 64, drawn)
    return Shots(setting, Metric(metric), rows, ((1,), (5,), (10,)), {}, {}, {}, (("", rows),))


def test_the_figures_of_all_tables_are_there() -> None:
    figures = {name: published_figures.published("generalised", name) for name in METRICS.values()}
    assert {name: len(each) for name, each in figures.items()} == {"hm": 123, "base": 27, "novel": 27, "fsl": 123}
    assert not any(figure.derived for each in figures.values() for figure in each.values())
    assert figures["hm"][f"{SOURCE}UCF-FSL", "av-diff", "10-shot"].value == 64.18
    assert figures["base"][f"{SOURCE}UCF-FSL", "audio", "5-shot"].value == 55.31


def test_every_harmonic_mean_is_that_of_its_recalls() -> None:
    figures = {name: published_figures.published("generalised", name) for name in ("hm", "base", "novel")}
    for place in figures["base"]:
        base, novel = figures["base"][place].value, figures["novel"][place].value
        assert figures["hm"][place].value == pytest.approx(2 * base * novel / (base + novel), abs=0.02), place


@pytest.mark.skipif(not FIGURES.is_file(), reason="needs the figures as they were gathered")
def test_the_figures_are_copied_right() -> None:
    with FIGURES.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 342
    for row in rows:
        figures = published_figures.published("generalised", METRICS[row["measure"]])
        variant = {"visual": "video"}.get(row["variant"], row["variant"])
        found = figures[f"{SOURCE}{row['dataset']}", variant, f"{row['shot']}-shot"]
        assert f"{found.value:.2f}" == row["percent"]


def test_a_report_prints_them_beside_ours_without_a_difference() -> None:
    text = blocks.markdown(published_figures.blocks(table("scenes")))
    assert text.count("### Paper (other data and backbone)") == 3
    assert "| av-diff   | 51.50    | 59.96    | 64.18     |" in text
    assert "minus" not in text
    assert "mean" not in text
    assert "linear-probe" not in text


def test_a_table_of_a_published_data_set_has_its_figures_alone() -> None:
    assert published_figures.sources(table("ucf-fsl")) == (f"{SOURCE}UCF-FSL",)
    text = blocks.markdown(published_figures.blocks(table("ucf-fsl", "base")))
    assert text.startswith("### Paper (other backbone)")
    assert "VGGSound" not in text
    assert "| 55.31    |" in text


def test_a_cell_has_the_figure_of_its_own_data_set_or_none() -> None:
    for dataset, figure in (("ucf-fsl", 59.96), ("scenes", None)):
        cell = report._measured(table(dataset), "av-diff", (5,))
        assert (cell["paper_percent"], cell["minus_paper_points"]) == (figure, None)
