"""Full-size settings of AV-DIFF: those of its published configurations, by the names of our options."""

import csv
from pathlib import Path

import pytest

from mgcl.errors import MgclError
from mgcl.methods.audio_visual._published import published_settings

GATHERED = Path(__file__).parents[3] / "shared" / "facts" / "avdiff_hparams.csv"
DATASETS = {"anet": "ActivityNet-FSL", "ucf": "UCF-FSL", "vggsound": "VGGSound-FSL"}
NAMES = {
    "bs": "batch_size",
    "lr": "learning_rate",
    "L_transformer_depth": "depth",
    "Z_layer_change": "change",
    "diffusion_steps": "diffusion_steps",
    "generator_hidden": "diffusion_hidden",
    "embedding_dropout": "encoder_dropout",
    "decoder_dropout": "head_dropout",
    "transformer_dropout": "transformer_dropout",
    "embed_dropout": "position_dropout",
    "diff_dropout": "diffusion_dropout",
}


@pytest.mark.skipif(not GATHERED.is_file(), reason="needs the settings as they were gathered")
def test_every_setting_is_copied_right() -> None:
    with GATHERED.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 12
    for row in rows:
        found = published_settings(DATASETS[row["dataset"]], int(row["shot"]))
        for name, ours in NAMES.items():
            assert found[ours] == float(row[name] or 0), (row, name)
        assert found["plateau"] == (row["lr_scheduler"] == "true")
        fixed = row["seqlen_train"] == "fixed"
        assert (found["train_seconds"], found["test_seconds"]) == ((60 * 0.64, 300 * 0.64) if fixed else (None, None))


def test_the_papers_own_numbers() -> None:
    """Section 4.1 of the paper: d, output, layers L and Z, epochs, batches, learning rates and batch sizes."""
    for name, (depth, change, rate, size) in {
        "activitynet-fsl": (5, 3, 7e-5, 32),
        "ucf-fsl": (4, 2, 7e-5, 64),
        "vggsound-fsl": (8, 5, 6e-5, 64),
    }.items():
        found = published_settings(name, 5)
        assert (found["depth"], found["change"], found["learning_rate"], found["batch_size"]) == (
            depth,
            change,
            rate,
            size,
        )
        assert (found["width"], found["feature_width"], found["base_epochs"], found["novel_epochs"]) == (
            300,
            64,
            30,
            20,
        )
        assert found["plateau"] == (name != "vggsound-fsl")


def test_other_data_sets_and_shots_are_refused() -> None:
    for dataset, shot in (("scenes", 5), ("UCF-FSL", 3)):
        with pytest.raises(MgclError, match="there are ActivityNet-FSL, UCF-FSL, VGGSound-FSL with 1, 5, 10, 20"):
            published_settings(dataset, shot)
