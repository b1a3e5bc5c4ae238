"""From videos to a bank by actors: the same bank as in this process."""

from collections import Counter

import numpy as np
import pytest

from mgcl.backbones import tiny
from mgcl.cli import main
from mgcl.data import videos
from mgcl.data.scenes.recipes import scene_classes
from mgcl.errors import BankError
from mgcl.extraction import embedded_scenes
from mgcl.extraction.extract import extract_videos_by, in_process
from mgcl.extraction.tokens import Pair, load_visual
from mgcl.language.word_bag import word_bag
from tests.commands import run_here
from tests.conftest import SharedCluster
from tests.generated_videos import greys, tone, write


def test_actors_make_the_same_bank(tmp_path, shared_cluster: SharedCluster) -> None:
    root = tmp_path / "mine"
    for index, label in enumerate(("cat", "dog", "cat", "dog")):
        (root / label).mkdir(parents=True, exist_ok=True)
        frames = greys(range(20 * index, 20 * index + 40))
        write(root / label / f"{index}.mp4", frames=frames, sound=tone(1.6 + index) if index else None)
    (root / "cat" / "broken.mp4").write_bytes((root / "cat" / "2.mp4").read_bytes()[:999])
    dataset = videos.read(root)
    pair = Pair(tiny.load(), load_visual("motion_grid", None, "cpu"))
    words = dict(zip(dataset.classes, word_bag(dataset.classes), strict=True))
    here = extract_videos_by(in_process(pair), dataset, pair, tmp_path / "here", words)
    command = ["extract", "--dataset", "videos", "--root", root, "--backbone", "tiny", "--out", tmp_path / "there"]
    done = run_here(lambda: main([*map(str, command), "--actors", "2", *shared_cluster.joined]))
    assert done.returncode == 0, done.stderr
    assert f"4 clips, 2 classes, digest {here.digest[:16]}" in done.stdout
    assert "1 clips have no sound" in done.stdout
    assert "left out: " in done.stdout and "broken.mp4: cannot be opened as a video" in done.stdout


def test_the_embedded_default_is_made_once(tmp_path, monkeypatch) -> None:
    few = {"base": (1, 1, 1), "novel-validation": (0, 0, 0), "novel-test": (1, 0, 1)}
    made = []
    with pytest.raises(BankError, match=r"scenes-1-tiny-\w{8}-motion_grid-1\.1: not there yet"):
        embedded_scenes.embedded_scenes_bank(tmp_path, make=False)
    with (
        monkeypatch.context() as patch,
        pytest.raises(BankError, match=r"making it needs av: pip install 'mgcl\[video\]'"),
    ):
        patch.setattr(embedded_scenes, "missing", lambda _: "av: pip install 'mgcl[video]'")
        embedded_scenes.embedded_scenes_bank(tmp_path)
    original = embedded_scenes.make_scenes_bank
    monkeypatch.setattr(
        embedded_scenes,
        "make_scenes_bank",
        lambda data, bank, *, vocabulary: (
            made.append(vocabulary),
            original(data, bank, vocabulary=vocabulary, clips=few),
        ),
    )
    bank = embedded_scenes.embedded_scenes_bank(tmp_path, vocabulary="development")
    again = embedded_scenes.embedded_scenes_bank(tmp_path, make=False, vocabulary="development")
    assert (made, again.digest) == (["development"], bank.digest)
    classes = {each.label: each for each in scene_classes("development") if each.part != "novel-validation"}
    assert dict(zip(bank.classes["label"].to_pylist(), bank.classes["part"].to_pylist(), strict=True)) == {
        label: each.part for label, each in classes.items()
    }
    assert Counter(bank.clips["split"].to_pylist()) == {"train": 18 + 9, "validation": 18, "test": 18 + 9}
    audio, video = bank.ragged("audio"), bank.ragged("video")
    assert set(video.lengths.tolist()) <= {8, 10, 12, 14}
    assert np.abs(audio.lengths * 0.9375 - video.lengths * 0.64).max() < 1
    assert not any(each.gaps for each in bank.header.tokens.values())
