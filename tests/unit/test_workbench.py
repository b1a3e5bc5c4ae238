"""The folder of an extraction: what is finished, what is to do, and which extractions meet in it."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from mgcl.backbones.backbone import AudioFeatures, facts, facts_json
from mgcl.data.dataset import AudioFile
from mgcl.extraction.plan import identity, plan
from mgcl.extraction.workbench import Workbench

BACKBONE = SimpleNamespace(
    name="tiny",
    fingerprint="0f",
    embedding_dim=4,
    logit_scale=100.0,
    sample_rate=16000,
    seconds=5.0,
    segments=5,
    segment_seconds=1.0,
    captions=("a sound",),
    embed_audio=lambda waveforms: AudioFeatures(torch.ones(len(waveforms), 5, 4), torch.ones(len(waveforms), 4)),
    embed_text=lambda sentences: torch.tensor([[float(len(sentence))] * 4 for sentence in sentences]),
)


@pytest.fixture
def bench(tmp_path) -> Workbench:
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
    (tmp_path / "c.wav").write_bytes(b"no sound")
    files = [AudioFile(name, tmp_path / f"{name}.wav", "dog") for name in "abc"]
    return Workbench(tmp_path, plan(files, ["one", "three", "one"]))


def test_a_finished_shard_is_no_longer_to_do(bench) -> None:
    assert [shard.name for shard in bench.todo] == ["text-00000", "clips-00000"]
    assert (bench.done, bench.left_out()) == ((), {})
    with pytest.raises(FileNotFoundError):
        list(bench.clips())  # or a bank would hold zeros
    text, clips = bench.shards
    with ThreadPoolExecutor(1) as decoders:
        bench.finish(text, BACKBONE, decoders)
        assert (bench.done, bench.todo) == ((text,), (clips,))
        bench.only([clips]).finish(clips, BACKBONE, decoders)
    assert (bench.done, bench.todo) == (bench.shards, ())
    assert {sentence: vector[0] for sentence, vector in bench.sentences().items()} == {"one": 3.0, "three": 5.0}
    (embedded,) = bench.clips()
    assert embedded.clip_ids == ("a", "b")
    assert (embedded.clip.shape, embedded.segments.shape, embedded.mel_statistics.shape) == ((2, 4), (2, 5, 4), (2, 65))
    assert list(bench.left_out()) == ["c"] == list(embedded.left_out)
    assert bench.only([text]).left_out() == {}


def test_the_facts_of_a_backbone_are_the_backbone_without_its_weights() -> None:
    assert facts_json(facts(BACKBONE)) == facts_json(BACKBONE)
    assert not hasattr(facts(BACKBONE), "embed_audio")


def test_an_extraction_that_an_earlier_commit_stopped_is_resumed(tmp_path, monkeypatch) -> None:
    """The folder's name is a hash of what the shards depend on; commit a076928 gave it this one."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(f"{name}.wav").write_bytes(b"no sound")
        os.utime(f"{name}.wav", ns=(10**18, 10**18))
    files = [AudioFile("a", Path("a.wav"), "dog"), AudioFile("b", Path("b.wav"), "rain", channels="left")]
    assert identity(plan(files, ["one", "two", "one"]), BACKBONE) == "a9afcf74"
