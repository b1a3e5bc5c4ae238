"""The tiny backbone, which was trained on generated sounds alone, on real recordings."""

from pathlib import Path

import pytest

from mgcl.backbones import tiny
from mgcl.data import esc50
from mgcl.evaluation.trial import run_trial, similarity_store
from mgcl.extraction.extract import extract
from mgcl.sweep.grid import Sweep, plan

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "esc10"


def test_real_recordings_are_told_apart_better_than_by_their_spectrum(tmp_path) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"{RECORDINGS} is not here")
    bank = extract(esc50.read(RECORDINGS), tiny.load(), tmp_path / "bank")
    assert (bank.header.dataset, bank.clips.num_rows) == ("esc10", 400)
    sweep = Sweep("real", ("full", "mel-statistics"), (5,), (5,), episodes=40, queries=15)
    similarities = similarity_store(bank)
    full, statistics = (run_trial(cell.trial, bank, similarities=similarities) for cell in plan(sweep, bank))
    assert full.accuracy > 0.6
    assert full.accuracy > statistics.accuracy
