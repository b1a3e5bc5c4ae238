"""The study of the objective's parts: trains what is missing, judges every model, writes its table."""

import functools

import pandas as pd

from mgcl.data import soundscapes
from mgcl.pretraining.training import Plan
from mgcl.sweep.parts import PartsStudy, run_parts
from tests import cases

SMALL = Plan(steps=6, batch=8, clips=100)
STUDY = PartsStudy(
    name="parts",
    rows={"plain": Plan(steps=6, batch=8, clips=100, codebook=False, local=False, hardness=0.0), "whole": SMALL},
    seeds=(0, 1),
    share=1 / 3,
    sweep=cases.sweep("parts", ("zero-shot", "full"), ways=(5,), shots=(1,), episodes=3, queries=5),
)


def test_every_row_is_trained_once_a_seed_and_judged(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(soundscapes, "generate", functools.partial(soundscapes.generate, clips=6))
    folder = run_parts(STUDY, tmp_path / "home", tmp_path / "reports", workers=2)
    models = pd.read_csv(folder / "models.csv")
    assert models[["row", "seed", "steps"]].values.tolist() == [
        ["plain", 0, 2], ["plain", 1, 2], ["whole", 0, 2], ["whole", 1, 2],
    ]  # fmt: skip
    accuracies = models[["zero-shot 5-way 1-shot", "full 5-way 1-shot"]]
    assert ((accuracies > 0) & (accuracies <= 100)).all().all()
    report = (folder / "report.md").read_text()
    assert "for 2 steps (33% of the full run's)" in report
    assert [line.split("|")[1].strip() for line in report.splitlines() if "±" in line and line[0] == "|"] == [
        "plain",
        "whole",
    ]
    assert "plain, seed 0: 2 steps" in capsys.readouterr().out

    run_parts(STUDY, tmp_path / "home", tmp_path / "reports", workers=2)
    assert "seed" not in capsys.readouterr().out
    assert (folder / "report.md").read_text() == report
