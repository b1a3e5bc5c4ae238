"""A bank as a user would hold it before the import, and a saved classifier."""

from pathlib import Path

import pytest


@pytest.fixture
def material(bank, tmp_path) -> dict[str, Path]:
    """The generated bank, as a user would hold it."""
    import numpy as np  # here, and not above: the process that hands out the tests needs none of it
    import pandas as pd

    from mgcl.features.material import ARRAYS

    columns = {name: each.column for name, each in ARRAYS.items() if not bank.lacks([each.column])}
    np.savez(tmp_path / "arrays.npz", **{name: bank.column(column) for name, column in columns.items()})
    clips = bank.clips.select(["clip_id", "label", "caption", "source"]).to_pandas()
    clips.assign(fold=np.arange(len(clips)) % 5 + 1).to_csv(tmp_path / "clips.csv", index=False)
    classes = bank.classes.select(["label", "prompt"]).to_pandas()
    names = [f"explanation_{number}" for number in range(1, 9)]
    sentences = pd.DataFrame(bank.classes["explanations"].to_pylist(), columns=names)
    pd.concat([classes, sentences], axis=1).to_csv(tmp_path / "classes.csv", index=False)
    files = {"arrays": "arrays.npz", "clips": "clips.csv", "classes": "classes.csv", "out": "bank"}
    return {name: tmp_path / file for name, file in files.items()}


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory) -> Path:
    """A classifier of two classes on tiny, of two clips each."""
    from mgcl import FewShotClassifier
    from tests.generated_sounds import RATE, waveform

    clips = [(waveform(kind, number), RATE) for kind in ("hum", "hiss") for number in range(2)]
    folder = tmp_path_factory.mktemp("models") / "model"
    FewShotClassifier("tiny", method="prototypical").fit(clips, ["hum", "hum", "hiss", "hiss"]).save(folder)
    return folder
