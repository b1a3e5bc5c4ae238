"""Backbones: weights that are no weights, outputs that say nothing, and what is known before a clip is embedded."""

import argparse
import copy
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor
from transformers import AutoTokenizer

from mgcl.backbones import _sentences as sentences
from mgcl.backbones import ms_clap, tiny
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import published_tokenizer
from mgcl.backbones._weights import read_checkpoint
from mgcl.backbones.backbone import AudioFeatures
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import BackboneError, MgclError, MgclWarning, SentenceError
from mgcl.extraction.extract import extract
from mgcl.extraction.texts import Texts
from mgcl.language.explanations import ClassText
from tests.checkpoints.ms_clap import make_2022, make_2023


@dataclass
class Fake:
    """Random embeddings of the right shapes, but for what a test makes wrong."""

    logit_scale: float = 20.0
    one_sentence: bool = False
    one_sound: bool = False
    healthy: float = math.inf
    """Clips before it breaks."""
    embedded: int = 0
    name, fingerprint, embedding_dim, sample_rate, seconds = "fake", "0" * 16, 4, 16000, 5.0
    segments, segment_seconds, captions = 2, 2.5, ()

    def embed_audio(self, waveforms: Tensor) -> AudioFeatures:
        self.embedded += len(waveforms)
        drawn = torch.randn(len(waveforms), 3, 4, generator=torch.Generator().manual_seed(0))
        if self.one_sound:
            drawn[:] = 1
        if self.embedded > self.healthy:
            drawn[-1] = torch.nan
        return AudioFeatures(drawn[:, :2], drawn[:, 2])

    def embed_text(self, sentences: list[str]) -> Tensor:
        if any(len(each.split()) > 77 for each in sentences):
            raise BackboneError("too long; write something of at most 77")
        drawn = torch.randn(len(sentences), 4, generator=torch.Generator().manual_seed(1))
        return drawn.fill_(1) if self.one_sentence else drawn


@pytest.mark.parametrize(
    ("fake", "says"),
    [
        (Fake(one_sentence=True), "embeds four unlike sentences as one"),
        (Fake(one_sound=True), "embeds noise and silence as one"),
        (Fake(healthy=0), "embeds clips as NaN"),
        (Fake(logit_scale=float("nan")), "logit scale is nan, outside 1..1000"),
        (Fake(logit_scale=0.5), "logit scale is 0.5, outside 1..1000"),
    ],
)
def test_a_backbone_that_tells_nothing_apart_is_refused(fake: Fake, says: str) -> None:
    """A published CLAP's sentences are all alike, mean cosine 0.9993 (mteb #5069); scales: LAION-AI/CLAP #57."""
    with pytest.raises(BackboneError, match=says):
        probed(fake)


def test_the_scale_of_ms_claps_configuration_is_taken_with_a_note() -> None:
    """Its temperature is 0.003, so its scale 333 (openai/CLIP #46 has the usual cap of 100)."""
    with pytest.warns(MgclWarning, match="logit scale is 333.3"):
        probed(Fake(logit_scale=1 / 0.003))


def clips(folder: Path, count: int) -> tuple[AudioFile, ...]:
    random = np.random.default_rng(0)
    for row in range(count):
        soundfile.write(folder / f"{row}.wav", 0.1 * random.standard_normal(1600), 16000)
    return tuple(AudioFile(str(row), folder / f"{row}.wav", "ab"[row % 2]) for row in range(count))


def plain(dataset: Dataset, backbone: Fake) -> Texts:
    return Texts.of(dataset, backbone, classes={each: ClassText(each, (f"a {each}",)) for each in "ab"})


@pytest.mark.parametrize("wrong", ["scale", "id", "caption"])
def test_what_is_known_at_the_start_is_refused_before_a_clip_is_embedded(tmp_path, wrong: str) -> None:
    """Mteb #3710, seed-vc #108: hours of embedding, then a refusal."""
    files, fake = clips(tmp_path, 4), Fake(logit_scale=float("inf") if wrong == "scale" else 20.0)
    if wrong == "id":
        files = (*files, files[0])
    if wrong == "caption":
        files = tuple(replace(file, caption="rain " * 90) for file in files)
    dataset = Dataset("mine", "", "none", files)
    with pytest.raises(
        MgclError, match={"scale": "inf, outside", "id": "stands 2 times", "caption": "at most 77"}[wrong]
    ):
        extract(dataset, fake, tmp_path / "bank", texts=plain(dataset, fake))
    assert fake.embedded == 0


def test_a_clip_that_is_embedded_as_nan_stops_the_extraction_and_is_named(tmp_path) -> None:
    """Mteb #3710: NaN in the embeddings of one clip, found when all were done."""
    dataset, fake = Dataset("mine", "", "none", clips(tmp_path, 4)), Fake(healthy=2)
    with pytest.raises(BackboneError, match="embeds the clip 3 as NaN"):
        extract(dataset, fake, tmp_path / "bank", texts=plain(dataset, fake))


def test_a_backbone_that_is_given_to_extract_is_probed_before_its_first_clip(tmp_path) -> None:
    """Mteb #3710: NaN weights, found after the last clip."""
    dataset, fake = Dataset("mine", "", "none", clips(tmp_path, 4)), Fake(healthy=0)
    with pytest.raises(BackboneError, match="embeds clips as NaN"):
        extract(dataset, fake, tmp_path / "bank", texts=plain(dataset, fake))
    assert fake.embedded == 2, "the probe's noise and silence alone"


@pytest.mark.parametrize(
    ("caption", "said", "words"),
    [
        (
            "rain " * 400,
            "hail",
            r"the caption of clip 2: 'rain rain .{50}\.\.\.' is \d+ tokens, .* at most 160; shorten",
        ),
        (" ", "hail", "the caption of clip 2: ' ' is empty; write a sentence there"),
        ("hail", "rain " * 400, r"a sentence on class a: 'rain rain .{50}\.\.\.' is \d+ tokens"),
    ],
)
def test_a_sentence_that_cannot_be_embedded_is_said_with_whose_it_is(tmp_path, caption, said, words) -> None:
    """Sentences over 77 tokens (LAION-AI/CLAP #57 and its like) were printed whole, without a word of their clip."""
    dataset, backbone = Dataset("mine", "", "none", clips(tmp_path, 4)), tiny.load()
    captions = {file.clip_id: caption if file.clip_id == "2" else "hail" for file in dataset.files}
    classes = {"a": ClassText("a", (said,)), "b": ClassText("b", ("snow",))}
    texts = Texts.of(dataset, backbone, classes=classes, captions=captions)
    with pytest.raises(BackboneError, match=words):
        extract(dataset, backbone, tmp_path / "bank", texts=texts)


def test_an_error_on_a_sentence_survives_the_way_between_processes() -> None:
    """Whose it is, is known to the process that started the actors."""
    error = copy.copy(SentenceError("x" * 500, "is empty"))  # as pickle takes it apart
    assert (error.sentence, str(error)) == ("x" * 500, f"'{'x' * 60}...' is empty")


@pytest.mark.parametrize(("year", "name"), [(2022, "bert-base-uncased"), (2023, "gpt2")])
def test_the_file_that_the_advice_names_is_all_that_is_needed(tmp_path, hub, monkeypatch, year, name) -> None:
    """huggingface/lerobot #4131, LAION-AI/CLAP #108: `hf download NAME tokenizer.json`, then offline."""
    checkpoint = {2022: make_2022, 2023: make_2023}[year](tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BackboneError, match=f"run `hf download {name} tokenizer.json` where it does"):
        ms_clap.load(checkpoint)
    full, own = (each / "hub" / f"models--{name}" for each in (hub, tmp_path))
    commit = (full / "refs" / "main").read_text()
    (own / "refs").mkdir(parents=True)
    (own / "snapshots" / commit).mkdir(parents=True)
    shutil.copy(full / "refs" / "main", own / "refs")
    shutil.copy(full / "snapshots" / commit / "tokenizer.json", own / "snapshots" / commit)
    alone = ms_clap.load(checkpoint)
    published = AutoTokenizer.from_pretrained(str(full / "snapshots" / commit))
    sentence = "A dog's bark, then ÉMILE: 2.5 kHz!"
    assert published_tokenizer(name)(sentence).input_ids == published(sentence).input_ids
    assert alone.embed_text([sentence]).isfinite().all()


def test_a_file_that_is_no_tokenizer_is_named_with_what_fetches_it(tmp_path, monkeypatch) -> None:
    """huggingface/lerobot #4131: transformers' OSError, with a traceback."""
    (tmp_path / "tokenizer.json").write_text("<!DOCTYPE html>")
    monkeypatch.setattr(sentences, "hub_file", lambda _, name: tmp_path / name)
    with pytest.raises(
        BackboneError, match=r"json: no tokenizer \(.*`hf download gpt2 tokenizer.json --force-download`"
    ):
        published_tokenizer("gpt2")


def test_a_folder_is_sent_to_the_backbone_that_reads_folders(tmp_path) -> None:
    """A Hugging Face folder given to the reader of one file."""
    with pytest.raises(BackboneError, match="is a folder, where the weights are one file; name a file in it"):
        ms_clap.load(str(tmp_path))
    (tmp_path / "config.json").touch()
    with pytest.raises(BackboneError, match=r"is a folder, .*; choose the backbone transformers_clap"):
        ms_clap.load(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 690000000\n",
            "Git LFS pointer.*git lfs pull",
        ),
        (b"<!DOCTYPE html><html>Sign in</html>", "is a web page"),
        (b"", r"is empty \(0 bytes\)"),
        (b'{"architectures": ["ClapModel"]}', "is json or safetensors"),
        (b"not a zip file at all", "cannot be read as what torch.save wrote"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_called_what_it_is(tmp_path, content: bytes, says: str) -> None:
    """pytorch/audio #3911, mlperf-automations #465."""
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(BackboneError, match=says):
        read_checkpoint(tmp_path / "weights.pth")


def test_what_else_a_checkpoint_holds_is_named(tmp_path) -> None:
    """Vllm #1382: arguments of a training script beside the tensors."""
    for name, value in (("args", argparse.Namespace(lr=1e-4)), ("where", Path("x"))):
        torch.save({"model": {}, name: value}, tmp_path / "own.pth")
        with pytest.raises(BackboneError, match=rf"holds a {type(value).__module__}\.{type(value).__name__} beside"):
            read_checkpoint(tmp_path / "own.pth")


def test_numbers_of_numpy_are_read(tmp_path) -> None:
    """LAION's own checkpoints keep an epoch and scores so; others a table or a flag."""
    kept = {"epoch": np.int64(45), "best": np.float64(0.5), "done": np.bool_(True), "table": np.arange(3.0)}
    torch.save(kept, tmp_path / "scores.pt")
    read = read_checkpoint(tmp_path / "scores.pt")
    assert (read["epoch"], read["best"], bool(read["done"]), read["table"].tolist()) == (45, 0.5, True, [0, 1, 2])


def test_arrays_of_objects_are_not(tmp_path) -> None:
    """They are pickles within a pickle."""
    torch.save({"table": np.array([Path("x")], dtype=object)}, tmp_path / "objects.pt")
    with pytest.raises(BackboneError, match=r"objects\.pt"):
        read_checkpoint(tmp_path / "objects.pt")


def test_another_familys_weights_are_called_theirs(tmp_path) -> None:
    """pytorch/audio #3911: a LAION checkpoint given to MS-CLAP's reader."""
    torch.save({"epoch": 45, "state_dict": {"module.audio_branch.x": torch.zeros(1)}}, tmp_path / "630k.pt")
    with pytest.raises(BackboneError, match="are LAION-CLAP's; choose the backbone laion_clap"):
        ms_clap.load(str(tmp_path / "630k.pt"))
