"""Import from a user's arrays, export to Parquet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgcl.errors import BankError
from mgcl.events import Event
from mgcl.features.exchange import export_parquet, import_arrays
from mgcl.features.material import ARRAYS

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
    assert tuple(replace(clip, fold=None) for clip in made.clip_records) == bank.clip_records
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


def offsets(**changes):
    """Ragged arrays whose offsets are wrong, or right."""

    def spoil(material: dict[str, Path]) -> None:
        with np.load(material["arrays"]) as archive:
            content = {name: archive[name] for name in archive}
        np.savez(material["arrays"], **content, audio=np.ones((200, 4)), **changes)

    return spoil


SPOILT |= {
    "no offsets": (offsets(), r"arrays.npz: no array 'audio_offsets': where each clip's audio tokens begin"),
    "offsets of floats": (offsets(audio_offsets=np.ones(97)), r"audio_offsets has shape \(97,\) of float64, where"),
    "offsets beyond": (
        offsets(audio_offsets=np.arange(97)),
        r"arrays.npz: audio_offsets must rise from 0 to 200, the rows that there are",
    ),
    "offsets of fewer clips": (
        offsets(audio_offsets=np.array([0, 100, 200])),
        r"audio_offsets has clips = 2, where clip_embeddings has 96",
    ),
    "no step": (
        offsets(audio_offsets=np.minimum(3 * np.arange(97), 200)),
        r"arrays.npz: audio tokens come without their step",
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


def test_several_captions_labels_and_events_are_imported(bank, material, tmp_path) -> None:
    spoil_arrays(caption_embeddings=lambda a: np.repeat(a, 2, axis=0)[:-1])(material)
    with np.load(material["arrays"]) as archive:
        content = {name: archive[name] for name in archive}
    half = content["segment_embeddings"].astype(np.float16)
    offsets = {"caption_embeddings_offsets": np.minimum(2 * np.arange(97), 191)}
    np.savez(material["arrays"], **content | offsets | {"segment_embeddings": half, "mel_statistics": np.ones((96, 7))})
    frame = pd.read_csv(material["clips"])
    frame["caption_1"] = frame.pop("caption")
    frame["caption_2"] = ["another"] * 95 + [""]
    frame["labels"] = [*frame.pop("label")[:-2], "class_05|class_00", ""]
    frame.to_csv(material["clips"], index=False)
    (tmp_path / "events.csv").write_text("clip_id,onset,offset,label\nclip_0003,0.5,1.25,class_00\n")
    made = import_arrays(**material, **ABOUT, events=tmp_path / "events.csv")
    assert made.labels[-3:] == (("class_05",), ("class_05", "class_00"), ())
    assert made.events[2:4] == ((), (Event(0.5, 1.25, "class_00"),))
    assert made.ragged("captions").lengths.tolist() == [2] * 95 + [1]
    assert made.clips["captions"].to_pylist()[-1] == bank.clips["caption"].to_pylist()[-1:]
    assert (made.column("segments").dtype, made.mel_statistics.shape) == (np.float16, (96, 7))
    export_parquet(made, tmp_path / "parquet")
    read = pd.read_parquet(tmp_path / "parquet" / "clips.parquet")
    assert np.stack(read["segment_embeddings"][5]).dtype == np.float16
    assert read["events"][3][0] == {"onset": 0.5, "offset": 1.25, "label": "class_00"}


EVENTS = {
    "clip": ("none,0,1,class_00", r"events.csv: column 'clip_id', row 0: 'none' is none of the clips"),
    "time": ("clip_0001,soon,1,class_00", r"events.csv: row 0: could not convert .*; onset and offset are in seconds"),
    "order": ("clip_0001,2,1,class_00", r"column 'events', row 1: 'class_00' from 2.0 s to 1.0 s"),
    "label": ("clip_0001,0,1,owl", r"column 'events', row 1: 'owl' has no row"),
    "empty": ("clip_0001,0,,class_00", r"events.csv: column 'offset', row 0: the cell is empty"),
}


@pytest.mark.parametrize("case", EVENTS)
def test_wrong_events_are_refused(case, material, tmp_path) -> None:
    line, message = EVENTS[case]
    (tmp_path / "events.csv").write_text(f"clip_id,onset,offset,label\n{line}\n")
    with pytest.raises(BankError, match=message):
        import_arrays(**material, **ABOUT, events=tmp_path / "events.csv")
    assert not material["out"].exists()


def test_splits_and_parts_are_taken_and_checked(material) -> None:
    clips, classes = pd.read_csv(material["clips"]), pd.read_csv(material["classes"])
    clips["split"] = ["train", "validation", "test"] * (len(clips) // 3)
    classes["part"] = ["base", "novel-test"] * (len(classes) // 2)
    clips.to_csv(material["clips"], index=False)
    classes.to_csv(material["classes"], index=False)
    made = import_arrays(**material, **ABOUT)
    assert made.clips["split"].to_pylist() == clips["split"].tolist()
    assert made.classes["part"].to_pylist() == classes["part"].tolist()
    spoil_csv("clips", set_cell(4, "split", "val"))(material)
    with pytest.raises(BankError, match=r"column 'split', row 4: 'val'; it is one of train, validation, test"):
        import_arrays(**{**material, "out": material["out"].with_name("other")}, **ABOUT)
