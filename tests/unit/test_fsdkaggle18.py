"""Folders in FSDKaggle2018's layout."""

from pathlib import Path

import pytest

from mgcl.data.dataset import MissingFilesError
from mgcl.data.fsdkaggle18 import read
from mgcl.errors import DataError

TRAIN = "fname,label,manually_verified,freesound_id,license\n00044347.wav,Hi-hat,0,2,CC0\n001ca53d.wav,Bark,1,3,CC0\n"
TEST = "fname,label,usage,freesound_id,license\n00326aa9.wav,Oboe,Private,3,CC0\n0038a046.wav,Bass_drum,Public,9,CC0\n"


def write(root: Path, train: str = TRAIN, test: str = TEST, test_name: str = "_scoring_clips") -> Path:
    for part, rows, name in (
        ("audio_train", train, "train_post_competition.csv"),
        ("audio_test", test, f"test_post_competition{test_name}.csv"),
    ):
        (root / "FSDKaggle2018.meta").mkdir(exist_ok=True)
        (root / "FSDKaggle2018.meta" / name).write_text(rows)
        (root / f"FSDKaggle2018.{part}").mkdir()
        for line in rows.splitlines()[1:]:
            if ",None," not in line:
                (root / f"FSDKaggle2018.{part}" / line.split(",")[0]).touch()
    return root


def test_training_and_test_clips_are_one_pool(tmp_path) -> None:
    dataset = read(write(tmp_path))
    assert (dataset.name, dataset.classes) == ("fsdkaggle18", ("Bark", "Bass_drum", "Hi-hat", "Oboe"))
    assert [(clip.clip_id, clip.label, clip.verified) for clip in dataset.files] == [
        ("00044347", "Hi-hat", False),
        ("001ca53d", "Bark", True),
        ("00326aa9", "Oboe", True),
        ("0038a046", "Bass_drum", True),
    ]
    assert dataset.files[0].path == tmp_path / "FSDKaggle2018.audio_train" / "00044347.wav"
    assert dataset.files[2].path == tmp_path / "FSDKaggle2018.audio_test" / "00326aa9.wav"
    assert all((clip.source, clip.fold) == (clip.clip_id, None) for clip in dataset.files)


def test_clips_that_pad_kaggles_test_set_are_left_out(tmp_path) -> None:
    padding = "00063640.wav,None,Ignored,88926,CC0\n"  # a row of the published csv
    dataset = read(write(tmp_path, test=f"{TEST}{padding}", test_name=""))
    assert [clip.clip_id for clip in dataset.files][2:] == ["00326aa9", "0038a046"]


def test_verified_labels_can_be_kept_alone(tmp_path) -> None:
    verified = read(write(tmp_path)).verified_only()
    assert [clip.clip_id for clip in verified.files] == ["001ca53d", "00326aa9", "0038a046"]
    assert verified.revision == "Zenodo 2552860 verified labels only"


def test_what_is_missing_or_wrong_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"train_post_competition\.csv: no such file; .*mgcl data fetch fsdkaggle18"):
        read(tmp_path)
    for number, (train, words) in enumerate(
        (
            (TRAIN.replace(",1,3", ",yes,3"), "line 3: manually_verified is 0 or 1, got 'yes'"),
            (TRAIN + TRAIN.splitlines()[1], r"line 4: .*\.wav is listed already in line 2; remove one of the lines"),
            (TRAIN.replace("Hi-hat", ""), "line 2: no label; write it, or remove the line"),
        )
    ):
        root = tmp_path / str(number)
        root.mkdir()
        write(root, train=train)
        with pytest.raises(DataError, match=words):
            read(root)


def test_a_clip_that_is_not_there_is_named_and_all_that_is_listed_is_kept(tmp_path) -> None:
    (write(tmp_path) / "FSDKaggle2018.audio_test" / "0038a046.wav").unlink()
    with pytest.raises(MissingFilesError, match=r"0038a046\.wav: missing, one of 1") as caught:
        read(tmp_path)
    assert len(caught.value.listed) == 4
