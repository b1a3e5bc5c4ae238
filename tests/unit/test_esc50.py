"""A folder in ESC-50's layout."""

from pathlib import Path

import pytest

from mgcl.data import esc10
from mgcl.data.esc50 import read
from mgcl.errors import DataError

HEADER = "filename,fold,target,category,esc10,src_file,take\n"


def write(root: Path, rows: str, *, audio: bool = True) -> Path:
    (root / "meta").mkdir()
    (root / "audio").mkdir()
    (root / "meta" / "esc50.csv").write_text(rows)
    if audio:
        for line in rows.splitlines()[1:]:
            (root / "audio" / line.split(",")[0]).touch()
    return root


def test_clips_have_their_label_fold_and_recording(tmp_path) -> None:
    rows = HEADER + "1-100-A-0.wav,1,0,dog,True,100,A\n2-200-B-9.ogg,2,9,crow,False,200,B\n"
    dataset = read(write(tmp_path, rows))
    assert (dataset.name, dataset.licence) == ("esc50", "CC BY-NC 3.0")
    assert dataset.classes == ("crow", "dog")
    clip = dataset.files[1]
    assert (clip.clip_id, clip.label, clip.fold, clip.source) == ("2-200-B-9", "crow", 2, "200")
    assert clip.path == tmp_path / "audio" / "2-200-B-9.ogg"


def test_ten_classes_alone_are_esc10(tmp_path) -> None:
    dataset = read(write(tmp_path, HEADER + "1-100-A-0.wav,1,0,dog,True,100,A\n"))
    assert (dataset.name, dataset.licence) == ("esc10", "CC BY 3.0")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("filename,fold\nx,1\n", r"esc50\.csv: no column 'category'; it must have filename, fold"),
        (HEADER, r"esc50\.csv: no rows"),
        (HEADER + "1-100-A-0.wav,one,0,dog,True,100,A\n", r"esc50\.csv, line 2: fold 'one' is no integer"),
        ("", r"esc50\.csv: not a csv file"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, rows, words) -> None:
    with pytest.raises(DataError, match=words):
        read(write(tmp_path, rows))


def test_what_is_missing_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"esc50\.csv: no such file; a folder in ESC-50's layout has"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"1-100-A-0\.wav: missing, one of 1 that meta/esc50\.csv names"):
        read(write(tmp_path, HEADER + "1-100-A-0.wav,1,0,dog,True,100,A\n", audio=False))


REAL = Path(__file__).parents[2].parent / "shared" / "data" / "esc10"


@pytest.mark.skipif(not REAL.is_dir(), reason="the recordings are not here")
def test_the_real_recordings_of_esc10() -> None:
    dataset = read(REAL)
    assert (dataset.name, len(dataset.files), len(dataset.classes)) == ("esc10", 400, 10)
    assert len({clip.source for clip in dataset.files}) == 304
    with pytest.raises(DataError, match="esc10 does not say which labels are verified"):
        dataset.verified_only()


def test_esc10_is_the_marked_part_of_esc50(tmp_path) -> None:
    rows = HEADER + "1-100-A-0.wav,1,0,dog,True,100,A\n2-200-B-9.ogg,2,9,crow,False,200,B\n"
    root = write(tmp_path, rows)
    chosen = esc10.read(root)
    assert (chosen.name, [file.label for file in chosen.files]) == ("esc10", ["dog"])
    (root / "meta" / "esc50.csv").write_text(rows.replace("True", "False"))
    with pytest.raises(DataError, match="no row has esc10 True"):
        esc10.read(root)
