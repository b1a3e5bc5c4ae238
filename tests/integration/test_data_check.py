"""``mgcl data check``: what is wrong with a data set is listed, all of it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl.cli import main
from mgcl.data import esc50, folder
from mgcl.data._check import check

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "esc10"


def noise(seed: int, seconds: float = 1.0, channels: int = 1) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((round(8000 * seconds), channels))


def write(root: Path, name: str, samples: np.ndarray, **options: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(root / name, samples, 8000, **options)
    return root / name


@pytest.fixture
def sounds(tmp_path) -> Path:
    root = tmp_path / "sounds"
    for index, name in enumerate(("dog/a.wav", "dog/b.wav", "crow/a.wav", "crow/b.wav")):
        write(root, name, noise(index))
    return root


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def test_a_sound_data_set_has_nothing_wrong(sounds, capsys) -> None:
    write(sounds, "dog/c.flac", noise(9, 2.5, channels=2))
    assert run("data", "check", "folder", "--root", sounds) == 0
    output = capsys.readouterr().out
    assert "5 clips, 2 classes, nothing wrong" in output
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines() if "8000" in line]
    assert rows == [["8000", "1", "4", "1", "1", "1", "4"], ["8000", "2", "1", "2.5", "2.5", "2.5", "2.5"]]


def test_everything_that_is_wrong_is_listed(sounds, capsys) -> None:
    write(sounds, "dog/empty.wav", np.zeros(0))
    write(sounds, "dog/silent.wav", np.zeros(8000))
    write(sounds, "dog/short.wav", noise(5, 0.1))
    write(sounds, "dog/nan.wav", np.array([0.1, np.nan] * 4000), subtype="FLOAT")
    whole = write(sounds, "dog/cut.mp3", noise(6, 4.0)).read_bytes()
    (sounds / "dog" / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    for name in ("half.wav", "half.ogg"):
        whole = write(sounds, f"dog/{name}", noise(7, 4.0)).read_bytes()
        (sounds / "dog" / name).write_bytes(whole[: len(whole) // 2])
    (sounds / "dog" / "text.wav").write_text("hello")
    (sounds / "dog" / "notes.txt").write_text("hello")
    write(sounds, "crow/same.flac", soundfile.read(sounds / "dog" / "a.wav")[0])
    assert run("data", "check", "folder", "--root", sounds, "--workers", 2) == 1
    output = capsys.readouterr().out
    for name, fault in (
        ("dog/empty.wav", "holds no samples"),
        ("dog/silent.wav", "silent: its peak is 0.0e+00"),
        ("dog/short.wav", "only 0.100 s long"),
        ("dog/nan.wav", "a sample is NaN or infinite"),
        ("dog/cut.mp3", "is cut short"),
        ("dog/half.wav", "is cut short"),
        ("dog/half.ogg", "is cut short"),
        ("dog/text.wav", "cannot be decoded"),
    ):
        assert f"{sounds / name}: {fault}" in output
    assert f"{sounds / 'crow/same.flac'} (crow), {sounds / 'dog/a.wav'} (dog)" in output
    assert "13 clips, 2 classes, 9 wrong" in output


def test_every_missing_clip_is_listed_and_the_rest_is_still_decoded(tmp_path) -> None:
    rows = [f"1-{index}-A-0.wav,1,0,{label},False,{index},A" for index, label in enumerate(("dog", "crow", "hen"))]
    table = "\n".join(("filename,fold,target,category,esc10,src_file,take", *rows))
    for name, samples in (("1-0-A-0", noise(0)), ("1-9-A-0", noise(1))):
        write(tmp_path, f"audio/{name}.wav", samples)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text(table)
    report = check(esc50, tmp_path)
    assert (report.clips, report.classes, len(report.decoded)) == (3, 3, 1)
    assert [fault.removeprefix(f"{tmp_path}/audio/") for fault in report.faults] == [
        "1-1-A-0.wav: listed, but not there",
        "1-2-A-0.wav: listed, but not there",
        "1-9-A-0.wav: there, but not listed",
    ]


def test_a_set_of_which_nothing_can_be_heard_has_no_lengths(tmp_path) -> None:
    for label in ("dog", "crow"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.wav").write_text("hello")
    report = check(folder, tmp_path)
    assert len(report.faults) == 2
    assert report.lengths.empty


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path, capsys) -> None:
    assert run("data", "check", "esc50", "--root", tmp_path) == 2
    assert "esc50.csv: no such file" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.is_dir(), reason="the recordings are not here")
def test_the_real_recordings_are_all_right() -> None:
    report = check(esc50, REAL, workers=2)
    assert (report.clips, report.classes, report.faults) == (400, 10, ())
    (row,) = report.lengths.to_dict("records")
    assert (row["sample_rate"], row["channels"], row["clips"]) == (44100, 1, 400)
    assert row["median"] == pytest.approx(5, abs=0.01)


def test_events_captions_and_clips_that_cannot_be_had_are_checked(tmp_path, capsys) -> None:
    events = "filename\tonset\toffset\tevent_label\na.wav\t0.0\t0.5\tCat\na.wav\t0.5\t1.5\tDog\nb.wav\t\t\t\n"
    write(tmp_path, "audio/eval/public/a.wav", noise(0))
    write(tmp_path, "audio/eval/public/b.wav", noise(1))
    (tmp_path / "metadata" / "eval").mkdir(parents=True)
    (tmp_path / "metadata" / "eval" / "public.tsv").write_text(events)
    assert run("data", "check", "desed", "--root", tmp_path) == 1
    output = capsys.readouterr().out
    assert f"{tmp_path}/audio/eval/public/a.wav: an event (Dog) ends at 1.5 s, and the clip at 1.00 s\n" in output
    assert "2 clips, 2 classes, 2 events, 1 wrong" in output
    assert run("data", "check", "desed", "--root", tmp_path, "--leave-out-missing") == 2
    assert "no clip of desed may be missing" in capsys.readouterr().err

    write(tmp_path, "audio/Y7fmOlUlwoNg.wav", noise(2))
    rows = "audiocap_id,youtube_id,start_time,caption\n1,7fmOlUlwoNg,20,a rattle\n2,6BJ455B1aAs,0,a rocket\n"
    (tmp_path / "test.csv").write_text(rows)
    assert run("data", "check", "audiocaps", "--root", tmp_path, "--leave-out-missing") == 0
    output = capsys.readouterr().out
    assert f"{tmp_path}/missing.txt: 1 clips that are not there are left out" in output
    assert "1 clips, 0 classes, 1 captions, nothing wrong" in output
