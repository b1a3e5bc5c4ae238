"""The study of the objective's parts: trains what is missing, judges every model, writes its table."""

import functools
from dataclasses import replace

import pandas as pd

from mgcl.data import soundscape_events, soundscapes
from mgcl.pretraining.training import Plan
from mgcl.sweep import Sweep
from mgcl.sweep.parts import PartsStudy, Training, run_parts
from mgcl.tasks import detection
from tests import cases

SMALL = Plan(steps=2, batch=8, clips=100)
STUDY = PartsStudy(
    name="parts",
    rows={
        "plain": Training(replace(SMALL, codebook=False, local=False, mlp=True, hardness=0.0), seeds=(0, 1)),
        "whole": Training(SMALL, seeds=(1, 2)),
        "sharp": Training(replace(SMALL, score_temperature=30.0), seeds=(2,)),
    },
    sweeps=(
        cases.sweep("classification", ("zero-shot", "full"), ways=(5,), shots=(1,), episodes=3, queries=2),
        Sweep("detection", detection.Draws(), ("zero-shot",), reference="zero-shot", baselines=()),
    ),
)


def test_every_row_is_trained_once_a_seed_and_judged(tmp_path, capsys, monkeypatch) -> None:
    for module, clips in ((soundscapes, 3), (soundscape_events, 2)):
        monkeypatch.setattr(module, "generate", functools.partial(module.generate, clips=clips))
    folder = run_parts(STUDY, tmp_path / "home", tmp_path / "reports", workers=2)
    models = pd.read_csv(folder / "models.csv")
    trained = models[["row", "seed", "steps"]].drop_duplicates().values.tolist()
    assert trained == [["plain", 0, 2], ["plain", 1, 2], ["whole", 1, 2], ["whole", 2, 2], ["sharp", 2, 2]]
    accuracies = models[models["task"] == "classification"]
    assert set(accuracies["column"]) == {"zero-shot 5-way 1-shot", "full 5-way 1-shot"}
    assert accuracies["figure"].between(0, 1, inclusive="right").all()
    psds = models[(models["metric"] == "PSDS2") & (models["seed"] == 1)].groupby("row")["figure"].mean()
    gain = psds["whole"] - psds["plain"]
    report = (folder / "report.md").read_text()
    assert "for 2 steps, and judged" in report
    tables = [line.split("|") for line in report.splitlines() if "±" in line and line[0] == "|"]
    assert [row[1].strip() for row in tables] == ["plain", "whole", "sharp", "whole", "whole", "sharp"] * 2
    assert [row[2].strip() for row in tables] == ["2", "2", "1", "1", "1", "1"] * 2
    assert tables[3][3:] == tables[4][3:], "the row above is the first"
    assert tables[-2][5].strip().startswith(f"{gain:+.3f} ±")
    assert "plain, seed 0: 2 steps" in capsys.readouterr().out

    run_parts(STUDY, tmp_path / "home", tmp_path / "reports", workers=2)
    assert "seed" not in capsys.readouterr().out
    assert (folder / "report.md").read_text() == report
