"""``mgcl bank import-av``: the published layout of audio-visual features becomes a bank, and nothing in it is run."""

import os
import pickle
import shutil
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mgcl.errors import BankError
from mgcl.features import FeatureBank
from mgcl.features.pickles import read_object_array, read_pickle
from mgcl.features.published_folder import import_published
from tests.published_av_folder import CLIPS, MANUAL, PARTS, features_of, write_folder
from tests.unit.test_cli import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "UCF")


def change(file: Path, **entries: object) -> None:
    content = pickle.loads(file.read_bytes()) | entries  # noqa: S301 - the test wrote it
    file.write_bytes(pickle.dumps({key: value for key, value in content.items() if value is not None}))


def splits(bank: FeatureBank) -> dict[str, str]:
    return dict(zip(bank.clips["clip_id"].to_pylist(), bank.clips["split"].to_pylist(), strict=True))


def test_every_clip_has_its_features_class_part_and_split(folder: Path, tmp_path: Path) -> None:
    bank = import_published(folder, tmp_path / "bank")
    parts = dict(zip(bank.classes["label"].to_pylist(), bank.classes["part"].to_pylist(), strict=True))
    assert parts == {
        "ApplyEyeMakeup": "base",
        "CleanAndJerk": "base",
        "BoxingSpeedBag": "novel-validation",
        "TableTennisShot": "novel-test",
    }
    expected = {"a1": "train", "b1": "train", "a4": "validation", "b3": "validation", "a5": "test", "b6": "test"}
    assert expected.items() <= splits(bank).items()
    assert {clip: split for clip, split in splits(bank).items() if clip[0] == "t"} == {
        "t1": "train",
        "t2": "train",
        "t3": "test",
        "t4": "test",
    }
    for row, clip in enumerate(bank.clips["clip_id"].to_pylist()):
        assert np.array_equal(bank.ragged("audio")[row], features_of(clip, 3))
        assert np.array_equal(bank.ragged("video")[row], features_of(clip, 4))
        assert bank.labels[row][0][0].lower() == clip[0]
    assert (bank.header.tokens["audio"].step, bank.header.tokens["video"].step) == (0.96, 0.64)
    assert (bank.header.dataset, bank.header.revision) == ("UCF", "1-shot, draws 0 to 2")
    assert bank.recorded == bank.digest
    assert [each.name for each in tmp_path.iterdir()].count("UCF") == len(list(tmp_path.iterdir())) - 1 == 1


@pytest.mark.parametrize(("draw", "shots"), [(0, {"t1"}), (1, {"t2"}), (2, {"t1"})])
def test_one_published_draw_keeps_its_own_test_clips(folder: Path, tmp_path: Path, draw: int, shots: set[str]) -> None:
    found = splits(import_published(folder, tmp_path / "bank", draw=draw))
    novel = {clip: split for clip, split in found.items() if clip[0] == "t"}
    assert {clip for clip, split in novel.items() if split == "train"} == shots
    assert set(novel) == {"t1", "t2", "t3", "t4"}


@pytest.mark.parametrize("swapped", [False, True])
def test_every_class_has_its_own_word_vector(folder: Path, tmp_path: Path, swapped: bool) -> None:
    """The published code sorts texts by manual and classes by original name: "CleanAndJerk" is "Weight Lifting"."""
    if swapped:  # neither the order of the lists nor case matters
        for file in (folder / "class-split").rglob("*.*"):
            head, *rest = file.read_text().splitlines()
            keep = file.suffix == ".csv"
            lines = [head, *rest[::-1]] if keep else [head, *rest][::-1]
            file.write_text("\n".join(line.lower() if line != head or not keep else line for line in lines) + "\n")
        words = folder / "features/1-shot/text/word_embeddings_ucf_normed.npy"
        content = np.load(words, allow_pickle=True).item()
        np.save(words, dict(reversed(content.items())), allow_pickle=True)
    bank = import_published(folder, tmp_path / "bank")
    angles = dict(zip(sorted(MANUAL.values()), np.linspace(0, 3, 4), strict=True))
    by_label = {label.lower(): row for label, row in bank.row_of_class.items()}
    for original, manual in MANUAL.items():
        vector = bank.floats("word_vector")[by_label[original.lower()]]
        assert np.allclose(vector, [np.cos(angles[manual]), np.sin(angles[manual])]), original


def test_word_vectors_of_a_file_go_before_those_of_the_folder(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", names=np.array(list(MANUAL.values())), vectors=np.eye(4, 7, dtype=np.float32))
    bank = import_published(folder, tmp_path / "bank", words=tmp_path / "own.npz")
    assert bank.floats("word_vector").shape == (4, 7)
    np.savez(tmp_path / "own.npz", names=np.array(["Speed Bag"]), vectors=np.ones((1, 2)))
    with pytest.raises(BankError, match="no vector for class 'Apply Eye Makeup'"):
        import_published(folder, tmp_path / "other", words=tmp_path / "own.npz")


def test_visual_features_in_half_the_room(folder: Path, tmp_path: Path) -> None:
    whole, half = (import_published(folder, tmp_path / name, half=name == "half") for name in ("whole", "half"))
    assert half.column("video").values.dtype == np.float16
    assert half.column("audio").values.dtype == np.float32
    assert np.allclose(half.column("video").values, whole.column("video").values, rtol=1e-3)


def test_a_clip_without_one_modality_is_a_gap_that_the_header_allows(folder: Path, tmp_path: Path) -> None:
    audio = folder / "features/1-shot/audio/stage_1_train_base/ApplyEyeMakeup.pkl"
    change(audio, video_names=["a1", "a3"], features=[features_of("a1", 3), features_of("a3", 3)], fps=25)
    (folder / "features/1-shot/video/stage_1_val_seen/CleanAndJerk.pkl").unlink()
    bank = import_published(folder, tmp_path / "bank")
    rows = bank.row_of_clip
    assert np.array_equal(bank.ragged("audio")[rows["a3"]], features_of("a3", 3))
    assert (len(bank.ragged("audio")[rows["a2"]]), len(bank.ragged("video")[rows["c3"]])) == (0, 0)
    assert bank.header.tokens["audio"].gaps
    assert bank.header.tokens["video"].gaps


class Command:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch run",)


class Evaluated:
    def __reduce__(self) -> tuple[object, ...]:
        return eval, ("open('run', 'w')",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_names_a_function_is_refused_and_not_run(protocol: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for each, name in ((Command(), r"(posix|nt)\.system"), (Evaluated(), r"(builtins|__builtin__)\.eval")):
        (tmp_path / "class.pkl").write_bytes(pickle.dumps({"features": [each]}, protocol=protocol))
        with pytest.raises(BankError, match=rf"class.pkl: refused: it names {name}, which is neither an array"):
            read_pickle(tmp_path / "class.pkl")
        np.save(tmp_path / "words.npy", np.array({"a": each}, dtype=object), allow_pickle=True)
        with pytest.raises(BankError, match=r"words.npy: refused: it names "):
            read_object_array(tmp_path / "words.npy")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_pass(protocol: int, tmp_path: Path) -> None:
    content = OrderedDict(
        arrays=[np.arange(6, dtype=np.float32).reshape(2, 3), np.asfortranarray(np.eye(3)), np.zeros((0, 2), np.uint8)],
        transposed=np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        names=np.array(["x", "y"]),
        objects=np.array([np.ones(2), None], dtype=object),
        plain={"a": (1, 2.5, True, None), "b": {3}, "c": b"bytes"},
        number=np.float64(25),
    )
    (tmp_path / "file.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    found = read_pickle(tmp_path / "file.pkl")
    for before, after in zip(content["arrays"], found["arrays"], strict=True):
        assert np.array_equal(before, after)
        assert before.dtype == after.dtype
    assert np.array_equal(found["transposed"], content["transposed"])
    assert np.array_equal(found["objects"][0], np.ones(2))
    assert (found["plain"], found["number"], found["names"].tolist()) == (content["plain"], 25, ["x", "y"])


def test_damaged_pickles_are_named(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    whole = pickle.dumps({"features": [np.ones(50)]})
    for content in (b"", whole[: len(whole) // 2], b"\x80\x04K", b"text"):
        file.write_bytes(content)
        with pytest.raises(BankError, match=r"file.pkl: truncated, or not a pickle of arrays"):
            read_pickle(file)
    np.save(tmp_path / "words.npy", np.ones(3))
    with pytest.raises(BankError, match=r"words.npy: float64 of shape \(3,\), where one pickled object is needed"):
        read_object_array(tmp_path / "words.npy")


FILE = "features/1-shot/video/stage_1_train_base/ApplyEyeMakeup.pkl"
WRONG = {
    "no list": (
        lambda f: (f / "class-split/1-shot/stage_2_novel_train.txt").unlink(),
        "stage_2_novel_train.txt: missing",
    ),
    "two parts": (
        lambda f: (f / "class-split/1-shot/stage_1_novel_train.txt").write_text("CleanAndJerk\n"),
        "stage_1_novel_train.txt: 'CleanAndJerk' is already base; a class has one part",
    ),
    "unknown class": (
        lambda f: shutil.copy(f / FILE, (f / FILE).with_name("Typing.pkl")),
        "Typing.pkl: this class is in no list of classes, where base is needed; remove the file",
    ),
    "other part": (
        lambda f: shutil.copy(f / FILE, (f / FILE).with_name("TableTennisShot.pkl")),
        "TableTennisShot.pkl: this class is novel-test, where base is needed",
    ),
    "no folder": (
        lambda f: [shutil.rmtree(f / f"features/1-shot/{m}/stage_1_val_seen") for m in ("audio", "video")],
        "stage_1_val_seen: no file CLASS.pkl",
    ),
    "two splits": (lambda f: change(f / FILE, video_names=["a1", "a2", "a4"]), "'a4' is also in .*stage_1_train_base"),
    "two classes": (
        lambda f: change(
            f / "features/1-shot/video/stage_2_test_novel/TableTennisShot.pkl", video_names=["a1", "t3", "t4"]
        ),
        "stage_2_test_novel/TableTennisShot.pkl: 'a1' is also in .*ApplyEyeMakeup.pkl; a clip has one class",
    ),
    "twice": (lambda f: change(f / FILE, video_names=["a1", "a1", "a3"]), "ApplyEyeMakeup.pkl: 'a1' stands 2 times"),
    "no names": (lambda f: change(f / FILE, video_names=None), r"not features and video_names, .*'video_names'"),
    "fewer names": (
        lambda f: change(f / FILE, video_names=["a1"]),
        "not features and video_names, one entry a clip",
    ),
    "other size": (
        lambda f: change(f / FILE, features=[np.ones((2, 4)), np.ones((2, 5)), np.ones((2, 4))]),
        r"ApplyEyeMakeup.pkl: 'a2': shape \(2, 5\) of float64, where numbers of shape \(tokens, 4\)",
    ),
    "flat": (lambda f: change(f / FILE, features=[np.ones(4)] * 3), r"'a1': shape \(4,\) of float64"),
    "objects": (lambda f: change(f / FILE, features=[np.array([["x"]])] * 3), r"'a1': shape \(1, 1\) of <U1"),
    "not finite": (
        lambda f: change(f / FILE, features=[np.ones((2, 4)), np.full((2, 4), np.nan), np.ones((2, 4))]),
        "clips.arrow: column 'video', row 1: a number is NaN",
    ),
    "no words": (
        lambda f: (f / "features/1-shot/text/word_embeddings_ucf_normed.npy").unlink(),
        "text: 0 files word_embeddings_.*; give `words`",
    ),
    "no manual names": (
        lambda f: (f / "class-split/ucf_w2v_class_names.csv").write_text("original\nArchery\n"),
        "ucf_w2v_class_names.csv: no column 'manual'",
    ),
    "no word": (
        lambda f: (f / "class-split/ucf_w2v_class_names.csv").unlink(),
        "no vector for class 'BoxingSpeedBag'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_and_leaves_nothing(case: str, folder: Path, tmp_path: Path) -> None:
    spoil, message = WRONG[case]
    spoil(folder)
    with pytest.raises(BankError, match=message):
        import_published(folder, tmp_path / "bank")
    assert [each.name for each in tmp_path.iterdir()] == ["UCF"]


def test_the_command_prints_parts_and_names_its_flags(folder: Path, tmp_path: Path, capsys) -> None:
    write_folder(tmp_path / "second", shot=5)
    shutil.move(tmp_path / "second/features/5-shot", folder / "features/5-shot")
    shutil.move(tmp_path / "second/class-split/5-shot", folder / "class-split/5-shot")
    out = tmp_path / "bank"
    code, _, errors = run(capsys, "bank", "import-av", folder, "--out", out)
    assert (code, "holds 1-shot, 5-shot; name one of them with --shot" in errors) == (2, True)
    flags = "--shot", "5", "--float16", "--dataset", "ucf-fsl"
    code, printed, errors = run(capsys, "bank", "import-av", folder, "--out", out, *flags)
    assert (code, errors) == (0, "")
    assert "bank: 19 clips, 4 classes, digest " in printed
    assert "base: 2 classes; clips: 5 train, 2 validation, 2 test" in printed
    _, printed, _ = run(capsys, "bank", "info", out, "--check")
    assert "every value is as recorded" in printed
    assert "part      novel-validation: 1 classes; clips: 2 train, 3 validation, 1 test" in printed
    assert "part      novel-test: 1 classes; clips: 2 train, 2 test" in printed
    assert "audio 2 to 2 x 3, one per 0.96 s; video 2 to 2 x 4 float16, one per 0.64 s" in printed


def test_memory_does_not_grow_with_the_data_set(tmp_path: Path) -> None:
    """Features of 63 MB lie in files of 0.3 MB each."""
    labels = [f"class {row}" for row in range(64)]
    clips = {place: {label: [f"{place} {label}"] for label in labels} for place in CLIPS if "novel" not in place}
    clips["stage_2_test_seen"]["BoxingSpeedBag"] = ["b6"]
    clips |= {place: files for place, files in CLIPS.items() if "novel" in place}
    folder = write_folder(
        tmp_path / "large",
        clips=clips,
        parts=PARTS | {"stage_1_base_train": labels},
        manual={label: label for label in [*labels, "BoxingSpeedBag", "TableTennisShot"]},
        sizes=(4, 1024),
        tokens=80,
    )
    before, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        bank = import_published(folder, tmp_path / "bank")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert bank.column("video").values.nbytes > 60e6
    assert peak < 20e6
    assert (pool.max_memory() or 0) < 20e6
