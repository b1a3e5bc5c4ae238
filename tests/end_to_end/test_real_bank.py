"""The README's sweep on the bank of real recordings; skipped where that bank is not."""

import csv

import pytest

from tests.integration.conftest import new_place

FLAGS = ("--ways", "5", "--shots", "1", "5", "--variants", "full", "zero-shot", "without-cache",
         "without-contrast", "--episodes", "20", "--queries", "15")  # fmt: skip
# An independent implementation's accuracies in %, good to about 3 points a cell; 6 leaves room for our own noise.
ORIENTATION = {
    "zero-shot": {(5, 1): 91.0, (5, 5): 90.3},
    "full": {(5, 1): 90.7, (5, 5): 94.7},
    "without-contrast": {(5, 1): 93.3, (5, 5): 92.7},
}


def test_the_real_sweep(real_bank, tmp_path, empty_store) -> None:
    place = new_place(tmp_path, real_bank.path, empty_store)
    done = place.here(*FLAGS, "--local")
    assert done.returncode == 0, done.stderr
    assert "8 finished, 0 failed, 0 missing" in done.stdout
    assert place.complete_runs() == 8
    with (place.report / "cells.csv").open() as file:
        cells = {(row["variant"], (int(row["way"]), int(row["shot"]))): row for row in csv.DictReader(file)}
    assert len(cells) == 8
    for variant, expected in ORIENTATION.items():
        for column, accuracy in expected.items():
            assert float(cells[variant, column]["accuracy_percent"]) == pytest.approx(accuracy, abs=6)
    assert all(int(row["unconverged"]) == 0 for row in cells.values())
