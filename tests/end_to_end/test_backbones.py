"""From recordings to a table through a checkpoint of each family: random weights, so what counts is that it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mgcl.data import soundscapes
from mgcl.features import FeatureBank
from tests.checkpoints import captioners, laion_clap, ms_clap, transformers_clap

ROOT = Path(__file__).parents[2]
MGCL = str(Path(sys.executable).with_name("mgcl"))
RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "esc10"
CLIPS = 8
SWEEP = ["--ways", "5", "--shots", "1", "--episodes", "3", "--queries", "5", "--workers", "2"]
VARIANTS = ["--variants", "full", "zero-shot", "prototypical", "without-contrast"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Eight clips of each of ESC-10's classes, in ESC-50's layout; generated ones where there are no recordings."""
    folder = tmp_path_factory.mktemp("data") / "clips"
    if not RECORDINGS.is_dir():
        soundscapes.generate(folder, split="development", clips=CLIPS, workers=2)
        return folder
    (folder / "meta").mkdir(parents=True)
    (folder / "audio").symlink_to(RECORDINGS / "audio")
    table = pd.read_csv(RECORDINGS / "meta" / "esc50.csv").groupby("category").head(CLIPS)
    table.to_csv(folder / "meta" / "esc50.csv", index=False)
    return folder


@pytest.fixture
def run(hub, tmp_path):
    """Runs a command that finds the models of the hub in its cache."""

    def start(*words: str) -> str:
        environment = {**os.environ, "HF_HOME": str(hub), "MGCL_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return start


FAMILIES = {
    "laion_clap": (laion_clap.make, 48000, 16),
    "ms_clap": (ms_clap.make_2022, 44100, 21),
    "transformers_clap": (transformers_clap.make, 48000, 16),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_recordings_become_a_bank_and_a_table(family, root, run, tmp_path) -> None:
    make, rate, segments = FAMILIES[family]
    weights, out = make(tmp_path / "weights"), tmp_path / "bank"
    flags = ["--dataset", "esc50", "--root", str(root), "--explanations", "templates"]
    said = run(MGCL, "extract", *flags, "--backbone", family, "--weights", weights, "--out", str(out))
    assert "no captions: write them with `mgcl caption`, or run sweeps of this bank with --audio-only" in said
    header = FeatureBank.open(out).header
    assert (header.backbone.split()[0], header.sample_rate, header.segments) == (family, rate, segments)
    asked = run(
        sys.executable, str(ROOT / "sweeps" / "full_grid.py"), "--bank", str(out), *SWEEP, *VARIANTS, "--audio-only"
    )
    assert "The bank has no captions: rows that read them ran on audio alone" in asked
    cells = pd.read_csv(tmp_path / "reports" / "full_grid" / "cells.csv")
    assert set(cells["variant"]) == {"full", "zero-shot", "prototypical", "without-contrast"}


def test_a_captioners_captions_are_read(root, run, tmp_path) -> None:
    """Captioner, backbone, bank, sweep: the whole method on models of one's own."""
    captions, out = tmp_path / "captions.jsonl", tmp_path / "bank"
    data = ["--dataset", "esc50", "--root", str(root)]
    speaker = captioners.whisper(tmp_path / "captioner")
    run(MGCL, "caption", *data, "--captioner", "transformers", "--model", str(speaker), "--out", str(captions))
    weights = transformers_clap.make(tmp_path / "weights")
    flags = ["--backbone", "transformers_clap", "--weights", weights, "--explanations", "templates"]
    run(MGCL, "extract", *data, *flags, "--captions", str(captions), "--out", str(out))
    assert FeatureBank.open(out).captioned
    table = run(sys.executable, str(ROOT / "sweeps" / "full_grid.py"), "--bank", str(out), *SWEEP, "--variants", "full")
    assert "1 finished, 0 failed, 0 missing" in table
