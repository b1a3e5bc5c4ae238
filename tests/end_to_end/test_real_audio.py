"""The tiny backbone, which was trained on generated sounds alone, on real recordings."""

from pathlib import Path

import pytest

from mgcl.backbones import tiny
from mgcl.data import esc50
from mgcl.extraction.extract import extract
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial, similarity_store
from tests import cases

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "esc10"


def test_real_recordings_are_told_apart_better_than_by_their_spectrum(tmp_path) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"{RECORDINGS} is not here")
    bank = extract(esc50.read(RECORDINGS), tiny.load(), tmp_path / "bank")
    assert (bank.header.dataset, bank.clips.num_rows) == ("esc10", 400)
    sweep = cases.sweep("real", ("full", "mel-statistics"), ways=(5,), shots=(5,), episodes=40, queries=15)
    similarities = similarity_store(bank)
    full, statistics = (run_trial(cell.trial, bank, similarities=similarities) for cell in plan(sweep, bank))
    assert full.mean("accuracy") > 0.6
    assert full.mean("accuracy") > statistics.mean("accuracy")
