"""The published tables as sweeps: what they compare, and that the data sets they are for can be drawn from."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from mgcl.features import FeatureBank
from mgcl.reporting.published import published
from mgcl.sweep.grid import Sweep, plan
from tests import cases
from tests.generated_bank import write_generated_bank

COLUMNS = ((5, 1), (5, 10), (12, 1), (12, 10))
SWEEPS = Path(__file__).parents[2] / "sweeps"
TABLES = {"captions": "2", "explanations": "3", "cache": "4", "contrast": "5"}


def sweep_file(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SWEEPS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sweep(name: str) -> Sweep:
    return sweep_file(name).SWEEP


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> FeatureBank:
    """As many classes, and clips a class, as the embedded default."""
    return write_generated_bank(tmp_path_factory.mktemp("bank") / "large", classes=30, clips=40, segments=2, d=4)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_papers_rows_and_columns(name, large) -> None:
    figures = published("few_shot", "accuracy").items()
    of_the_table = {
        row for (source, row, _), figure in figures if source.startswith("MGCL") and figure.table == TABLES[name]
    }
    asked = sweep(name)
    assert asked.name == name
    assert set(asked.variants) - {"full"} == of_the_table - {"full"}
    assert (asked.draws.episodes, asked.draws.split) == (100, "clip")
    cells = plan(cases.changed_sweep(asked, folds=5, fold_classes=15), large)
    rows = {row for cell in cells for row in cell.variants}
    assert rows == set(asked.variants)
    assert {(cell.trial.cell.way, cell.trial.cell.shot) for cell in cells} == set(COLUMNS)
    alike = {"full", "explanations-8"} <= rows
    assert len(cells) == 5 * len(COLUMNS) * (len(rows) - alike)


def test_the_smoke_sweep_needs_five_clips_a_class(tmp_path) -> None:
    few = write_generated_bank(tmp_path / "few", clips=5, segments=2, d=4)
    assert len(plan(sweep("smoke"), few)) == len(sweep("smoke").variants)
