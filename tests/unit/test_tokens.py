"""From real videos to a bank of tokens: windows of any length, gaps, broken files, an extraction that is resumed."""

import json
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from mgcl.backbones.backbone import AudioFeatures
from mgcl.backbones.visual import motion_grid
from mgcl.data import videos
from mgcl.data._check import check
from mgcl.data.dataset import Dataset
from mgcl.errors import BackboneError, DataError
from mgcl.extraction import plan
from mgcl.extraction.extract import extract_videos_by, in_process
from mgcl.extraction.tokens import Pair, audio_group, windows
from mgcl.features import FeatureBank
from mgcl.language.word_bag import word_bag
from tests.generated_backbone import Bands
from tests.generated_videos import RATE, greys, tone, write

SECONDS = {"cat/0": 3.0, "cat/1": 0.4, "dog/0": 5.2, "dog/1": 2.0, "dog/silent": 2.0, "dog/blind": 1.5}


class Means(Bands):
    """A segment is the mean of its samples."""

    name, embedding_dim = "means", 1

    def embed_audio(self, waveforms: torch.Tensor) -> AudioFeatures:
        segments = waveforms.view(len(waveforms), self.segments, -1).mean(-1, keepdim=True)
        return AudioFeatures(segments, segments.mean(1))

    def embed_text(self, sentences):
        return torch.arange(float(len(sentences)))[:, None]


class Levels:
    """A token is the mean grey of its two frames."""

    name, fingerprint, token_dim, frames_per_step = "levels", "1", 2, 2

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        return pixels.mean((0, 1), dtype=np.float64).round().astype(np.uint8)[:1]

    def embed(self, frames: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(frames.reshape(len(frames), 2).astype(np.float32))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    root = tmp_path_factory.mktemp("videos") / "mine"
    for clip_id, seconds in SECONDS.items():
        (root / clip_id).parent.mkdir(parents=True, exist_ok=True)
        frames = None if "blind" in clip_id else greys(np.linspace(0, 250, round(25 * seconds)).astype(int).tolist())
        sound = None if "silent" in clip_id else tone(seconds)
        write(root / f"{clip_id}.mkv", frames=frames, sound=sound)
    return videos.read(root)


def extracted(dataset: Dataset, out: Path, pair: Pair | None = None, run=None, **options) -> FeatureBank:
    pair = pair or Pair(Bands(), Levels())
    words = dict(zip(dataset.classes, word_bag(dataset.classes), strict=True))
    return extract_videos_by((run or in_process)(pair), dataset, pair, out, words, **options)


@pytest.mark.parametrize("seconds", [0.1, 0.6, 1.9, 2.0, 2.4, 3.3, 4.0, 7.9, 21.0])
def test_every_segment_is_taken_once_from_a_window_that_holds_it(seconds: float) -> None:
    """On a ramp, the mean of a segment is the time of its middle, whichever window it comes from."""
    backbone = Means()
    ramp = (np.arange(round(seconds * RATE)) / RATE).astype(np.float32)
    cut, places = windows(ramp, backbone)
    segments = backbone.embed_audio(torch.from_numpy(cut)).segments.numpy()
    taken = segments[places[:, 0], places[:, 1], 0]
    assert len(taken) == max(1, int(seconds / 0.5))
    assert cut.shape == (max(1, -(-len(taken) // 4)), 2 * RATE)
    if seconds >= 0.5:
        assert np.allclose(taken, 0.25 + 0.5 * np.arange(len(taken)), atol=1e-3)
    if len(cut) > 2:  # a segment away from the ends has half of its window's length around it, or nearly
        assert np.abs(places[3:-3, 1] - 1.5).max() <= 1.5


def test_windows_do_not_tell_the_beginning_from_the_end() -> None:
    """Backwards, segments lie at the same places of their windows, but for rounding and for ties of two windows."""
    for count in range(5, 40):
        cut, places = windows(np.zeros(count * RATE // 2, np.float32), Bands())
        shifts = np.abs(3 - places[::-1, 1] - places[:, 1])
        assert np.sum(shifts > 1) < len(cut)


def test_the_bank_of_a_folder_of_videos(dataset, tmp_path) -> None:
    bank = extracted(dataset, tmp_path / "bank")
    assert list(bank.row_of_clip) == [file.clip_id for file in dataset.files]
    assert (bank.header.backbone, bank.header.sample_rate) == ("bands + levels", RATE)
    assert {name: (each.step, each.gaps) for name, each in bank.header.tokens.items()} == {
        "audio": (1.0, True), "video": (0.64, True),
    }  # fmt: skip
    assert not {"audio", "video", "label", "word_vector"} - set(bank.columns)
    assert bank.lacks(["split", "part"]) == ("split", "part")
    audio, video = bank.ragged("audio"), bank.ragged("video")
    for clip_id, row in bank.row_of_clip.items():
        seconds = SECONDS[clip_id]
        segments = max(1, int(seconds / 0.5 + 1e-6))
        assert len(audio[row]) == (0 if "silent" in clip_id else -(-segments // audio_group(Bands())))
        assert len(video[row]) == (0 if "blind" in clip_id else -(-round(seconds * 100) // 64))
    row = bank.row_of_clip["dog/0"]
    expected = np.interp(np.arange(18) * 0.32, np.arange(130) / 25, np.linspace(0, 250, 130))
    assert np.allclose(video[row].ravel(), expected, atol=6)
    assert np.allclose(bank.floats("word_vector"), word_bag(["cat", "dog"]))


def test_splits_and_parts_are_in_the_bank_if_the_data_set_gives_all(dataset, tmp_path) -> None:
    splits = ["train", "test", "train", "validation", "test", "train"]
    parts = {"cat": "novel-test", "dog": "base"}
    rows = [f"{each.path},{each.label},{split}" for each, split in zip(dataset.files, splits, strict=True)]
    table = tmp_path / "listed.csv"
    table.write_text("\n".join(["path,label,split,part", *(f"{row},{parts[row.split(',')[1]]}" for row in rows)]))
    bank = extracted(videos.read(table), tmp_path / "bank")
    assert bank.clips["split"].to_pylist() == splits
    assert bank.classes["part"].to_pylist() == ["novel-test", "base"]
    table.write_text("\n".join(["path,label,split,part", *(f"{row},{'base' if 'dog' in row else ''}" for row in rows)]))
    with pytest.raises(DataError, match="class 'cat' has no part"):
        videos.read(table)


def test_broken_videos_are_left_out_and_named(dataset, tmp_path) -> None:
    files = list(dataset.files)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(files[2].path.read_bytes()[:300])
    files[2] = replace(files[2], path=broken)
    spoilt = Dataset(dataset.name, "", "", tuple(files), pictures=True)
    bank = extracted(spoilt, tmp_path / "bank")
    assert list(bank.left_out) == [files[2].clip_id]
    assert "broken.mkv: " in bank.left_out[files[2].clip_id] and "fetch it again" in bank.left_out[files[2].clip_id]
    assert bank.clips.num_rows == 5
    with pytest.raises(DataError, match=r"`strict`: .*broken\.mkv"):
        extracted(spoilt, tmp_path / "strict", strict=True)
    with pytest.raises(DataError, match="no clip can be decoded"):
        extracted(Dataset("mine", "", "", (files[2],), pictures=True), tmp_path / "none")


def test_a_check_decodes_videos_and_names_broken_ones(dataset, tmp_path) -> None:
    root = tmp_path / "mine"
    shutil.copytree(dataset.files[0].path.parent.parent, root)
    (root / "cat" / "0.mkv").write_bytes((root / "dog" / "0.mkv").read_bytes()[:4000])
    (root / "dog" / "2.mkv").write_bytes((root / "cat" / "1.mkv").read_bytes())
    report = check(videos, root)
    assert (report.clips, report.classes) == (7, 2)
    broken, twice = sorted(report.faults)
    assert "0.mkv: is cut short" in broken or "0.mkv: cannot be" in broken
    assert twice.startswith("one sound in several classes") and "cat/1.mkv (cat)" in twice
    assert report.decoded[root / "dog" / "blind.mkv"].seconds == pytest.approx(1.5, abs=0.1)
    assert report.lengths["sample_rate"].tolist() == [RATE]


def test_an_interrupted_extraction_goes_on(dataset, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(plan, "_CLIPS", 2)
    whole = extracted(dataset, tmp_path / "whole")
    finished: list[str] = []

    def stopped(pair: Pair):
        def run(bench):
            for shard in islice(in_process(pair)(bench), 1):
                yield shard
                raise KeyboardInterrupt

        return run

    def counted(pair: Pair):
        def run(bench):
            for shard in in_process(pair)(bench):
                finished.append(shard.name)
                yield shard

        return run

    with pytest.raises(KeyboardInterrupt):
        extracted(dataset, tmp_path / "bank", run=stopped)
    assert not (tmp_path / "bank").exists()
    bank = extracted(dataset, tmp_path / "bank", run=counted)
    assert finished == ["clips-00001", "clips-00002"]
    assert bank.digest == whole.digest
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".bank")] == []


def test_other_weights_do_not_go_on_with_what_is_there(dataset) -> None:
    shards = plan.plan(dataset.files, ())

    class Other(Levels):
        fingerprint = "2"

    assert plan.identity(shards, Pair(Bands(), Levels())) != plan.identity(shards, Pair(Bands(), Other()))


def test_a_visual_backbone_that_sees_nothing_is_refused() -> None:
    class Blind(Levels):
        def embed(self, frames):
            return torch.zeros(len(frames), 2)

    class Wrong(Levels):
        token_dim = 3

    with pytest.raises(BackboneError, match="levels: embeds noise and a black picture as one"):
        Pair(Bands(), Blind())
    with pytest.raises(BackboneError, match=r"levels: gives tokens of shape \(2, 2\), not \(2, 3\)"):
        Pair(Bands(), Wrong())


def test_the_command_extracts_videos(dataset, tmp_path, monkeypatch, capsys) -> None:
    from mgcl.cli import extract_start, main

    monkeypatch.setattr(extract_start, "missing", lambda name: "ray: pip install it" if name == "ray" else None)

    def run(*arguments) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main([str(each) for each in arguments])
        output = capsys.readouterr()
        return left.value.code, output.out + output.err

    root = dataset.files[0].path.parent.parent
    command = ["extract", "--dataset", "videos", "--root", root, "--backbone", "tiny"]
    code, output = run(*command, "--out", tmp_path / "bank", "--words", "tiny")
    assert code == 0, output
    assert "visual backbone: motion_grid; --visual-backbone names another" in output
    assert "6 clips, 2 classes" in output and "1 clips have no sound" in output and "1 clips have no picture" in output
    bank = FeatureBank.open(tmp_path / "bank")
    assert bank.floats("word_vector").shape == (2, 256)
    assert (bank.ragged("audio").values.shape[1], bank.ragged("video").values.shape[1]) == (256, 128)
    assert json.loads((bank.path / "bank.json").read_text())["tokens"]["audio"]["step"] == pytest.approx(0.9375)
    for flags, message in (
        (["--words", "nothing.txt"], "--words nothing.txt: no such file, and no backbone; give bag, a file, or one of"),
        (["--captions", "captions.csv"], "--captions: videos is a data set of videos"),
        (
            ["--visual-backbone", "resnet"],
            "no visual backbone is called 'resnet'; there are: motion_grid, transformers_clip",
        ),
        (["--visual-weights", "w"], "w: motion_grid has no weights; leave --visual-weights out"),
    ):
        code, output = run(*command, "--out", tmp_path / "none", *flags)
        assert (code, message in output) == (2, True), output
    sounds = ["extract", "--dataset", "folder", "--root", root, "--backbone", "tiny", "--out", tmp_path / "none"]
    code, output = run(*sounds, "--visual-backbone", "motion_grid")
    assert code == 2 and "--visual-backbone: folder is a data set of sounds alone; leave it out" in output


def test_motion_grid_is_what_the_command_takes_by_default() -> None:
    assert motion_grid.load().token_dim == 128
