"""Folders and lists of videos: classes, splits, parts, and what is said of wrong ones."""

from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest

from mgcl.data import videos
from mgcl.errors import DataError, MgclWarning
from mgcl.extraction.extract import check_splits


def files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"a video")
    return root


def test_a_folder_of_classes(tmp_path) -> None:
    root = files(tmp_path / "Mine", "cat/a.mp4", "cat/b.webm", "dog/a.mkv", "dog/.hidden.mp4", ".git/x.mp4")
    dataset = videos.read(root)
    assert (dataset.name, dataset.pictures, dict(dataset.parts)) == ("mine", True, {})
    assert [(file.clip_id, file.label, file.split) for file in dataset.files] == [
        ("cat/a", "cat", None), ("cat/b", "cat", None), ("dog/a", "dog", None),
    ]  # fmt: skip


def test_folders_of_splits_and_a_table_of_parts(tmp_path) -> None:
    root = files(tmp_path / "mine", *(f"{split}/{label}/0.mp4" for split in videos.SPLITS for label in ("cat", "dog")))
    (root / "parts.csv").write_text("label,part\ncat,base\ndog,novel-test\n")
    dataset = videos.read(root)
    assert Counter(file.split for file in dataset.files) == {"train": 2, "validation": 2, "test": 2}
    assert dataset.parts == {"cat": "base", "dog": "novel-test"}
    assert [file.clip_id for file in dataset.files if file.split == "train"] == ["train/cat/0", "train/dog/0"]
    (root / "parts.csv").write_text("label,part\ncat,base\n")
    with pytest.raises(DataError, match="class 'dog' has no part; give each class one of base, novel-validation"):
        videos.read(root)
    (root / "parts.csv").write_text("label,part\ncat,base\ndog,new\n")
    with pytest.raises(DataError, match=r"parts\.csv, line 3: part 'new' is none of base"):
        videos.read(root)


def test_a_csv_file(tmp_path) -> None:
    files(tmp_path, "a.mp4", "b.mp4", "c.mkv")
    table = tmp_path / "list.csv"
    table.write_text(
        "path,label,split,part,fold,source\nb.mp4,dog,test,novel-test,2,\na.mp4,cat,train,base,,youtube\nc.mkv,cat,test,base,,\n"
    )
    dataset = videos.read(table)
    assert dataset.name == "list" and dataset.parts == {"cat": "base", "dog": "novel-test"}
    found = [(file.clip_id, file.label, file.split, file.fold, file.source) for file in dataset.files]
    assert found == [
        ("a", "cat", "train", None, "youtube"),
        ("b", "dog", "test", 2, None),
        ("c", "cat", "test", None, None),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a.mp4,cat,train,base\na.mp4,dog,train,base\n", r"line 3: a\.mp4 is listed twice"),
        ("a.mp4,cat,training,base\n", "line 2: split 'training' is none of train, validation, test"),
        (
            "a.mp4,cat,train,base\nb.mp4,cat,train,novel-test\n",
            "line 3: class 'cat' has two parts, base and novel-test",
        ),
        ("a.wav,cat,train,base\n", r"line 2: 'a\.wav' is none of \.mp4"),
        ("a.mp4,,train,base\n", "line 2: no label"),
        ("a.mp4,cat,,\nb.mp4,cat,,\n", "at least 2 classes are needed"),
        ("a.mp4,cat,,\ngone.mp4,dog,,\n", r"gone\.mp4: missing, one of 1 that list\.csv names"),
    ],
)
def test_a_wrong_line_is_named(lines: str, message: str, tmp_path) -> None:
    files(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "list.csv").write_text(f"path,label,split,part\n{lines}")
    with pytest.raises(DataError, match=message):
        videos.read(tmp_path / "list.csv")


def test_other_files_and_empty_classes_are_named(tmp_path) -> None:
    root = files(tmp_path / "mine", "cat/a.mp4", "cat/notes.txt", "dog/a.mp4")
    with pytest.warns(MgclWarning, match=r"notes\.txt: is no video, one of 1 such files"):
        videos.read(root)
    files(root, "fish/a.wav")
    with pytest.raises(DataError, match="fish: no videos; a class's lie in its folder itself"):
        videos.read(root)
    with pytest.raises(DataError, match="gone: no such folder or csv file"):
        videos.read(tmp_path / "gone")
    with pytest.raises(DataError, match="published folds"):
        videos.read(files(tmp_path / "esc50", "cat/a.mp4", "dog/a.mp4"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a.mp4,cat,train,base\nb.mp4,dog,train,base\n", "class 'cat' is base and has no validation clip; add one"),
        ("a.mp4,cat,train,\nb.mp4,dog,,\n", "'b' is one of 1 clips without a split"),
        ("a.mp4,cat,train,\nb.mp4,dog,train,\n", ""),
        ("a.mp4,cat,,base\nb.mp4,dog,,base\n", ""),
    ],
)
def test_splits_that_no_bank_can_have_are_refused_at_the_start(tmp_path, lines, message) -> None:
    files(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "list.csv").write_text(f"path,label,split,part\n{lines}")
    dataset = videos.read(tmp_path / "list.csv")
    with pytest.raises(DataError, match=message) if message else nullcontext():
        check_splits(dataset)
