"""From audio files to a bank, with the shipped tiny backbone."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgcl.backbones import tiny
from mgcl.data import soundscapes
from mgcl.data.dataset import Dataset
from mgcl.errors import BackboneError, BankError, DataError
from mgcl.features.extract import extract
from mgcl.features.mel_statistics import mel_statistics
from mgcl.language.explanations import explanations

MGCL = str(Path(sys.executable).with_name("mgcl"))


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
    backbone.captions = ()
    with pytest.raises(BackboneError, match="tiny brings no captions"):
        extract(dataset, backbone, tmp_path / "bank")
    (tmp_path / "there").mkdir()
    with pytest.raises(BankError, match="there: exists already"):
        extract(dataset, tiny.load(), tmp_path / "there")
    broken = replace(dataset.files[7], path=tmp_path / "broken.wav")
    broken.path.write_bytes(dataset.files[7].path.read_bytes()[:30])
    with pytest.raises(DataError, match=r"broken\.wav: cannot be decoded"):
        extract(replace(dataset, files=(*dataset.files[:7], broken)), tiny.load(), tmp_path / "bank")
    assert not (tmp_path / "bank").exists()


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
    with pytest.raises(BackboneError, match=r"missing \['codebook'\], unexpected \['codebooc'\]"):
        tiny.load(str(tmp_path / "weights"))


def test_the_shipped_weights_are_small() -> None:
    assert (tiny.SHIPPED / tiny.WEIGHTS).stat().st_size <= 8_000_000


def test_the_command_line_does_the_same(dataset, bank, tmp_path) -> None:
    root, out = str(dataset.files[0].path.parents[1]), str(tmp_path / "bank")
    words = ["extract", "--dataset", "soundscapes", "--root", root, "--out", out]
    done = subprocess.run([MGCL, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{out}: 45 clips, 15 classes, digest {bank.digest[:16]}" in done.stdout
    again = subprocess.run([MGCL, *words], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr.strip().splitlines()[-1]) == (
        2,
        f"error: {out}: exists already; name another folder, or remove it first",
    )
    unknown = subprocess.run([MGCL, *words[:2], "esc51", *words[3:]], capture_output=True, text=True, check=False)
    assert "no dataset is called 'esc51'; there are: esc50, soundscapes" in unknown.stderr
