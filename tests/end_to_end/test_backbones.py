"""From recordings to a table through random checkpoints: what counts is that it runs.

The contracts of backbones cover every family.
"""

from pathlib import Path

import pandas as pd
import pytest

from mgcl.data import soundscapes
from mgcl.features import FeatureBank
from tests.checkpoints import captioners, mga_clap, transformers_clap
from tests.conftest import SharedCluster
from tests.integration.conftest import Place, Said, new_place

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "esc10"
pytestmark = pytest.mark.usefixtures("hub")  # text models are there
CLIPS = 8
SWEEP = ["--folds", "1", "--fold-classes", "10", "--ways", "5", "--shots", "1"]
SWEEP += ["--episodes", "3", "--queries", "5", "--local"]
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
def place(tmp_path, empty_store) -> Place:
    return new_place(tmp_path, tmp_path / "bank", empty_store)


def out(said: Said) -> str:
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_recordings_become_a_bank_and_a_table(root, place: Place, shared_cluster: SharedCluster) -> None:
    weights = mga_clap.make(place.folder / "weights")
    flags = ["--dataset", "esc50", "--root", str(root), "--explanations", "templates", "--actors", "1"]
    flags += ["--backbone", "mga_clap", "--weights", weights, "--out", str(place.bank), *shared_cluster.joined]
    said = out(place.mgcl("extract", *flags))
    assert "no captions: write them with `mgcl caption`, or run sweeps of this bank with --audio-only" in said
    header = FeatureBank.open(place.bank).header
    assert (header.backbone.split()[0], header.sample_rate, header.segments) == ("mga_clap", 32000, 32)
    asked = out(place.here(*SWEEP, *VARIANTS, "--audio-only"))
    assert "The bank has no captions: rows that read them ran on audio alone" in asked
    cells = pd.read_csv(place.report / "cells.csv")
    assert set(cells["variant"]) == {"full", "zero-shot", "prototypical", "without-contrast"}


def test_a_captioners_captions_are_read(root, place: Place, shared_cluster: SharedCluster) -> None:
    """Captioner, backbone, bank, sweep: the whole method on models of one's own."""
    captions, data = str(place.folder / "captions.jsonl"), ["--dataset", "esc50", "--root", str(root)]
    speaker = str(captioners.whisper(place.folder / "captioner"))
    out(place.mgcl("caption", *data, "--captioner", "transformers", "--model", speaker, "--out", captions))
    weights = transformers_clap.make(place.folder / "weights")
    flags = ["--backbone", "transformers_clap", "--weights", weights, "--explanations", "templates", "--actors", "1"]
    out(place.mgcl("extract", *data, *flags, "--captions", captions, "--out", str(place.bank), *shared_cluster.joined))
    assert FeatureBank.open(place.bank).captioned
    assert "1 finished, 0 failed, 0 missing" in out(place.here(*SWEEP, "--variants", "full"))
