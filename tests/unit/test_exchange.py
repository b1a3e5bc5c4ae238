"""Import from a user's arrays, export to Parquet."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgcl.errors import BankError
from mgcl.features.exchange import ARRAYS, export_parquet, import_arrays

ABOUT = {
    "dataset": "generated",
    "revision": "0",
    "licence": "CC0-1.0",
    "backbone": "drawn",
    "logit_scale": 30.0,
    "sample_rate": 16000,
    "seconds": 5.0,
}


def test_an_import_is_the_bank_it_came_from(bank, material) -> None:
    made = import_arrays(**material, **ABOUT)
    assert np.array_equal(made.segment_embeddings, bank.segment_embeddings)
    assert made.clip_records == bank.clip_records
    assert made.classes.equals(bank.classes)
    assert made.header == bank.header
    assert made.clips["fold"].to_pylist()[:6] == [1, 2, 3, 4, 5, 1]


def test_without_folds_and_sources_they_are_null(bank, material) -> None:
    frame = pd.read_csv(material["clips"]).drop(columns=["fold", "source"])
    frame.to_csv(material["clips"], index=False)
    made = import_arrays(**material, **ABOUT)
    assert made.clips["fold"].null_count == made.clips["source"].null_count == bank.clips.num_rows


def spoil_csv(file: str, change):
    def spoil(material: dict[str, Path]) -> None:
        frame = change(pd.read_csv(material[file], dtype=str))
        frame.to_csv(material[file], index=False)

    return spoil


def spoil_arrays(**changes):
    def spoil(material: dict[str, Path]) -> None:
        with np.load(material["arrays"]) as archive:
            content = {name: archive[name] for name in archive}
        content |= {name: change(content[name]) for name, change in changes.items()}
        np.savez(material["arrays"], **{name: array for name, array in content.items() if array is not None})

    return spoil


def set_cell(row: int, column: str, value: str):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return change


SPOILT = {
    "no array": (spoil_arrays(prompt_embeddings=lambda _: None), r"arrays.npz: no array 'prompt_embeddings'"),
    "flat segments": (
        spoil_arrays(segment_embeddings=lambda a: a[:, 0]),
        r"arrays.npz: segment_embeddings has shape \(96, 24\), where",
    ),
    "wrong d": (
        spoil_arrays(caption_embeddings=lambda a: a[:, :20]),
        r"arrays.npz: caption_embeddings has d = 20, where clip_embeddings has 24",
    ),
    "rows": (spoil_csv("clips", lambda f: f[:-1]), r"clips.csv: 95 rows, where .*arrays.npz has 96"),
    "column": (spoil_csv("classes", lambda f: f.drop(columns="prompt")), r"classes.csv: no column 'prompt'"),
    "empty cell": (spoil_csv("clips", set_cell(4, "caption", "")), r"clips.csv: column 'caption', row 4: the cell"),
    "fold": (spoil_csv("clips", set_cell(2, "fold", "x")), r"clips.csv: column 'fold', row 2: 'x' is no fold number"),
    "NaN": (
        spoil_arrays(clip_embeddings=lambda a: np.where(np.arange(96)[:, None] == 3, np.nan, a)),
        r"arrays.npz: clip_embeddings, row 3: a number is NaN",
    ),
    "label": (
        spoil_csv("clips", set_cell(2, "label", "owl")),
        r"clips.csv: column 'label', row 2: 'owl' has no row in .*classes.csv",
    ),
}


SPOILT |= {
    "no dimension": (spoil_arrays(clip_embeddings=lambda _: np.float32(1)), r"clip_embeddings has shape \(\), where"),
    "too large": (
        spoil_arrays(prompt_embeddings=lambda a: a.astype(float) * 1e60),
        r"prompt_embeddings, row 0: a number",
    ),
    "truncated": (
        lambda material: material["arrays"].write_bytes(material["arrays"].read_bytes()[:5000]),
        r"arrays.npz: not an npz of number arrays",
    ),
    "corrupt": (
        lambda material: material["arrays"].write_bytes(material["arrays"].read_bytes().replace(b"\x3d", b"\x3e")),
        r"arrays.npz: not an npz of number arrays",
    ),
    "commas": (
        lambda material: material["clips"].write_text(material["clips"].read_text().replace("event 1", "event, 1")),
        r"clips.csv: not a csv file .*; quote cells that hold a comma",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_wrong_material_is_refused_and_nothing_is_written(material, case) -> None:
    spoil, message = SPOILT[case]
    spoil(material)
    with pytest.raises(BankError, match=message):
        import_arrays(**material, **ABOUT)
    assert not material["out"].exists()


def test_columns_that_an_import_does_not_know_are_left_alone(material) -> None:
    pd.read_csv(material["clips"]).assign(notes="").to_csv(material["clips"], index=False)
    assert import_arrays(**material, **ABOUT).clips.num_rows == 96


def test_pickled_arrays_are_not_loaded(material) -> None:
    np.savez(material["arrays"], **dict.fromkeys(ARRAYS, np.array([{}], dtype=object)))
    with pytest.raises(BankError, match="not an npz of number arrays"):
        import_arrays(**material, **ABOUT)


@pytest.mark.parametrize("file", ["arrays", "clips"])
def test_a_file_that_does_not_exist_is_named(material, file) -> None:
    material[file].unlink()
    with pytest.raises(BankError, match=rf"{material[file].name}: no such file"):
        import_arrays(**material, **ABOUT)


def test_parquet_holds_every_value(bank, tmp_path) -> None:
    export_parquet(bank, tmp_path / "out")
    frame = pd.read_parquet(tmp_path / "out" / "clips.parquet")
    assert np.array_equal(np.stack(frame["clip_embedding"].tolist()), bank.clip_embeddings)
    assert np.array_equal(np.stack(frame["segment_embeddings"][7]), bank.segment_embeddings[7])
    assert (tmp_path / "out" / "bank.json").read_bytes() == (bank.path / "bank.json").read_bytes()
    with pytest.raises(BankError, match="exists already"):
        export_parquet(bank, tmp_path / "out")


def test_without_caption_embeddings_the_bank_has_no_captions(bank, material) -> None:
    spoil_arrays(caption_embeddings=lambda _: None)(material)
    frame = pd.read_csv(material["clips"]).drop(columns=["caption"])
    frame.to_csv(material["clips"], index=False)
    made = import_arrays(**material, **ABOUT)
    assert (made.captioned, made.caption_embeddings, made.captions_naming_class) == (False, None, None)
    assert np.array_equal(made.clip_embeddings, bank.clip_embeddings)
    assert made.digest != bank.digest
