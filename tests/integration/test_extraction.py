"""From audio files to a bank, with the shipped tiny backbone."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgcl.backbones import tiny
from mgcl.cli import main
from mgcl.data import soundscapes
from mgcl.data.dataset import Dataset
from mgcl.errors import BackboneError, BankError, DataError
from mgcl.extraction.extract import extract, extract_by
from mgcl.extraction.texts import Texts
from mgcl.features import FeatureBank
from mgcl.features.mel_statistics import mel_statistics
from mgcl.language.explanations import explanations
from tests.commands import run_here
from tests.conftest import SharedCluster


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    root = tmp_path_factory.mktemp("data") / "soundscapes"
    return soundscapes.generate(root, split="development", clips=3, workers=2)


@pytest.fixture(scope="module")
def bank(dataset, tmp_path_factory):
    return extract(dataset, tiny.load(), tmp_path_factory.mktemp("banks") / "bank")


def test_the_bank_holds_every_clip_and_class_in_order(dataset, bank) -> None:
    assert list(bank.row_of_clip) == [file.clip_id for file in dataset.files]
    assert tuple(bank.row_of_class) == dataset.classes
    assert bank.clips["source"].to_pylist() == [file.source for file in dataset.files]
    assert (bank.header.backbone, bank.header.segments, bank.header.seconds) == ("tiny", 16, 5.0)
    assert bank.explanation_embeddings.shape == (15, 8, 256)
    texts = explanations("soundscapes")
    assert bank.classes["prompt"].to_pylist() == [texts[label].prompt for label in dataset.classes]


def test_the_same_files_give_the_same_bank(dataset, bank, tmp_path) -> None:
    assert extract(dataset, tiny.load(), tmp_path / "again").digest == bank.digest


def test_captions_come_from_the_audio_alone(dataset, bank, tmp_path) -> None:
    """Other labels, clip ids and event lists for the same sounds: the same captions."""
    order = np.random.default_rng(0).permutation(len(dataset.files))
    permuted = [replace(file, label=dataset.files[i].label) for file, i in zip(dataset.files, order, strict=True)]
    other = extract(replace(dataset, files=tuple(permuted)), tiny.load(), tmp_path / "permuted")
    assert other.clips["label"].to_pylist() != bank.clips["label"].to_pylist()
    assert other.clips["caption"].to_pylist() == bank.clips["caption"].to_pylist()
    assert len(set(bank.clips["caption"].to_pylist())) > 20


def test_the_captioner_knows_no_evaluation_class() -> None:
    names = {recipe.label.replace("_", " ") for recipe in soundscapes.class_recipes("evaluation")}
    captions = tiny.load().captions
    assert len(captions) == 2000
    assert [name for name in names if any(f" {name} " in f" {caption} " for caption in captions)] == []


def test_mel_statistics_are_those_of_the_waveform(dataset, bank) -> None:
    import soundfile

    samples, rate = soundfile.read(dataset.files[4].path, dtype="float32")
    assert bank.mel_statistics[4] == pytest.approx(mel_statistics(samples[None], rate)[0], abs=1e-3)


def test_what_cannot_become_a_bank_is_refused(dataset, tmp_path) -> None:
    backbone = tiny.load()
    with pytest.raises(BankError, match="no written explanations of bicycle_bell, broom"):
        extract(replace(dataset, name="mine"), backbone, tmp_path / "bank")
    (tmp_path / "there").mkdir()
    with pytest.raises(BankError, match="there: exists already"):
        extract(dataset, tiny.load(), tmp_path / "there")


def test_a_file_that_cannot_be_decoded_is_left_out_and_listed(dataset, bank, tmp_path) -> None:
    broken = replace(dataset.files[7], path=tmp_path / "broken.wav")
    broken.path.write_bytes(dataset.files[7].path.read_bytes()[:30])
    files = (*dataset.files[:7], broken, *dataset.files[8:])
    with pytest.raises(DataError, match=r"`strict`: .*broken\.wav: cannot be decoded"):
        extract(replace(dataset, files=files), tiny.load(), tmp_path / "bank", strict=True)
    assert not (tmp_path / "bank").exists()
    found = extract(replace(dataset, files=files), tiny.load(), tmp_path / "bank")
    assert list(found.left_out) == [broken.clip_id]
    assert "broken.wav: cannot be decoded" in found.left_out[broken.clip_id]
    assert list(found.row_of_clip) == [file.clip_id for file in dataset.files if file is not dataset.files[7]]
    rows = [bank.row_of_clip[clip_id] for clip_id in found.row_of_clip]
    assert np.allclose(found.clip_embeddings, bank.clip_embeddings[rows], atol=1e-5)
    assert bank.left_out == {}
    with pytest.raises(DataError, match=r"no clip can be decoded, the first because of .*broken\.wav"):
        extract(replace(dataset, files=(broken,)), tiny.load(), tmp_path / "none")


def test_captions_are_the_given_ones_or_the_data_sets_or_none(dataset, tmp_path) -> None:
    given = {file.clip_id: f"A sound, number {index}." for index, file in enumerate(dataset.files)}
    backbone = tiny.load()
    texts = Texts.of(dataset, backbone, captions=given)
    captioned = extract(dataset, backbone, tmp_path / "given", texts=texts)
    assert captioned.clips["caption"].to_pylist() == list(given.values())
    assert np.allclose(captioned.caption_embeddings[:2], backbone.embed_text(list(given.values())[:2]), atol=1e-5)
    own = replace(dataset, files=tuple(replace(file, caption=given[file.clip_id]) for file in dataset.files))
    assert extract(own, backbone, tmp_path / "own").digest == captioned.digest
    with pytest.raises(DataError, match=rf"{dataset.files[0].clip_id}: no caption, one of 1 such clips"):
        Texts.of(dataset, backbone, captions=dict(list(given.items())[1:]))
    backbone.captions = ()
    bare = extract(dataset, backbone, tmp_path / "none")
    assert (bare.captioned, bare.caption_embeddings, bare.captions_naming_class) == (False, None, None)
    assert bare.clips.column_names == [name for name in captioned.clips.column_names if "caption" not in name]


def test_two_extractions_into_one_bank_do_not_meet(dataset, tmp_path) -> None:
    backbone = tiny.load()

    def start_another(*_):
        with pytest.raises(BankError, match="another extraction into it is under way"):
            extract(dataset, backbone, tmp_path / "bank")
        raise DataError("enough")

    with pytest.raises(DataError, match="enough"):
        extract_by(start_another, dataset, backbone, tmp_path / "bank", Texts.of(dataset, backbone))


def test_weights_of_another_model_are_refused(tmp_path) -> None:
    with pytest.raises(BackboneError, match=r"model\.safetensors: missing; `mgcl pretrain --out"):
        tiny.load(str(tmp_path))
    shutil.copytree(tiny.SHIPPED, tmp_path / "weights")
    file = tmp_path / "weights" / tiny.WEIGHTS
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    with pytest.raises(BackboneError, match="not the tiny model's weights"):
        tiny.load(str(tmp_path / "weights"))
    file.write_bytes(whole.replace(b'"codebook"', b'"codebooc"'))
    with pytest.raises(BackboneError, match="1 missing: codebook; 1 unexpected: codebooc"):
        tiny.load(str(tmp_path / "weights"))


def test_the_shipped_weights_are_small() -> None:
    assert (tiny.SHIPPED / tiny.WEIGHTS).stat().st_size <= 8_000_000


def test_the_command_line_does_the_same(dataset, bank, tmp_path, shared_cluster: SharedCluster) -> None:
    root, out = str(dataset.files[0].path.parents[1]), str(tmp_path / "bank")
    words = ["extract", "--dataset", "soundscapes", "--root", root, "--out", out]
    done = run_here(lambda: main([*words, "--actors", "2", *shared_cluster.joined]))
    assert done.returncode == 0, done.stderr
    assert f"{out}: 45 clips, 15 classes, digest {bank.digest[:16]}" in done.stdout
    again = run_here(lambda: main(words))
    assert (again.returncode, again.stderr.strip().splitlines()[-1]) == (
        2,
        f"error: {out}: exists already; name another folder, or remove it first",
    )
    words[2], words[-1] = "esc51", str(tmp_path / "other")
    unknown = run_here(lambda: main(words))
    assert "no dataset is called 'esc51'; the nearest is 'esc50'; there are: audiocaps, " in unknown.stderr


def test_a_clip_that_was_changed_is_embedded_again(dataset, tmp_path) -> None:
    """Shards of a stopped extraction are taken up only for the files that they were made of."""
    backbone, files = tiny.load(), []
    for file in dataset.files[:3]:
        files.append(replace(file, path=Path(shutil.copy(file.path, tmp_path))))
    small = replace(dataset, files=tuple(files))

    def stop(bench):
        with ThreadPoolExecutor(1) as decoders:
            for shard in bench.todo:
                bench.finish(shard, backbone, decoders)
        if any(shard.files for shard in bench.shards):  # sentences come first, by themselves
            raise DataError("enough")
        return bench.shards

    with pytest.raises(DataError, match="enough"):
        extract_by(stop, small, backbone, tmp_path / "bank", Texts.of(small, backbone))
    assert list(tmp_path.glob(".bank-*/clips-*.safetensors"))
    other = dataset.files[-1].path.read_bytes()
    assert len(other) == files[0].path.stat().st_size
    files[0].path.write_bytes(other)
    changed = extract(small, backbone, tmp_path / "bank")
    assert changed.digest == extract(small, backbone, tmp_path / "fresh").digest
    assert [each.name for each in tmp_path.glob(".bank-*")] == []


def test_a_manifest_of_the_files_gives_the_same_embeddings(dataset, bank, tmp_path, shared_cluster) -> None:
    """The clips are as long as each other, and so the batches are the same ones."""
    listed = [{"path": file.path, "clip_id": file.clip_id, "label": file.label} for file in dataset.files]
    pd.DataFrame(listed).to_csv(tmp_path / "mine.csv", index=False)
    out = tmp_path / "bank"
    words = ["extract", "--dataset", f"manifest:{tmp_path}/mine.csv", "--backbone", "tiny", "--out", str(out)]
    done = run_here(lambda: main([*words, "--actors", "1", *shared_cluster.joined]))
    assert done.returncode == 0, done.stderr
    assert f"{out}: 45 clips, 15 classes, digest " in done.stdout
    found = FeatureBank.open(out)
    assert list(found.row_of_clip) == list(bank.row_of_clip)
    assert (found.segment_embeddings[:] == bank.segment_embeddings).all()
    assert found.clips["caption"].to_pylist() == bank.clips["caption"].to_pylist()
    refused = run_here(lambda: main([*words[:-1], str(tmp_path / "other"), "--captions", "captions.csv"]))
    assert "--captions: manifest:" in refused.stderr
