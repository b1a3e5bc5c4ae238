"""Full-size settings of AV-DIFF: those of its published configurations, by the names of our options, and in a sweep."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from mgcl.errors import MgclError, SweepError
from mgcl.methods.audio_visual._published import published_settings
from mgcl.methods.variants import AUDIO_VISUAL
from mgcl.reporting.tables import build
from mgcl.sweep import Sweep
from mgcl.sweep.grid import plan
from mgcl.tasks import few_shot, generalised
from mgcl.tracking.runs import parameters_of, tags_of, trial_run

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


class Named:
    """A bank under the name of a published data set."""

    def __init__(self, bank) -> None:
        self.bank, self.header = bank, replace(bank.header, dataset="UCF-FSL")

    def __getattr__(self, name: str):
        return getattr(self.bank, name)


def test_a_sweep_takes_them_by_column_and_a_variant_keeps_what_it_is_about(audio_visual_bank) -> None:
    bank = Named(audio_visual_bank)
    sweep = Sweep(
        "s", generalised.Draws((1, 5), (0,), 1), tuple(AUDIO_VISUAL), reference="av-diff", settings="published"
    )
    planned = plan(sweep, bank)
    found = {(row, each.trial.cell.shot): each.trial.parameters for each in planned for row in each.variants}
    for shot, steps in ((1, 300), (5, 200)):
        assert found["av-diff", shot] == {**found["av-diff", shot], **published_settings("ucf-fsl", shot)}
        assert found["av-diff", shot]["diffusion_steps"] == steps
        assert found["full-attention", shot] == {**found["av-diff", shot], "attention": "full"}
        assert (found["mbt", shot]["width"], found["mbt", shot]["base_epochs"]) == (300, 30)
        assert found["prototypes", shot]["batches"] == 0, "not trained"
    runs = [trial_run("r", "FINISHED", 0.0, tags_of(each, bank), parameters_of(each), {}) for each in planned]
    assert set(build(runs)[0].rows) == set(AUDIO_VISUAL), "one row whatever differs between columns"
    with pytest.raises(MgclError, match="`settings`: none are published for generated"):
        plan(sweep, audio_visual_bank)
    with pytest.raises(SweepError, match="`settings` other: this task has published"):
        plan(replace(sweep, settings="other"), bank)
    with pytest.raises(SweepError, match="`settings` published: this task has none"):
        plan(replace(sweep, draws=few_shot.Draws((5,), (1,))), bank)
    with pytest.raises(SweepError, match="leave one out"):
        plan(replace(sweep, params="found.json"), bank)
