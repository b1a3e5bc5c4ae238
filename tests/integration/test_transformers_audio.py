"""Audio encoders of transformers, small and with random weights, against the library itself; and what lacks a text."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoFeatureExtractor, AutoModel, BertConfig, BertModel

from mgcl import FewShotClassifier
from mgcl.backbones.transformers_audio import load
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import BackboneError, ClassifierError, SweepError
from mgcl.extraction.extract import extract
from mgcl.sweep.grid import Sweep, left_out, plan
from mgcl.tasks import few_shot
from tests.checkpoints import transformers_audio, transformers_clap
from tests.generated_sounds import write_sounds

RATE, SAMPLES = 16000, 80000
# Samples that a model of fixed input takes.
LOOPED = {"ast": 1023 * 160 + 400, "wav2vec2": SAMPLES, "whisper": 30 * RATE}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filter")  # of AST's published spectrogram


@pytest.fixture(scope="module", params=LOOPED)
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory) -> Path:
    return Path(getattr(transformers_audio, f"make_{kind}")(tmp_path_factory.mktemp("weights") / kind))


@pytest.fixture(scope="module")
def backbone(folder):
    return load(str(folder))


@pytest.fixture(scope="module")
def ast(tmp_path_factory) -> Path:
    return Path(transformers_audio.make_ast(tmp_path_factory.mktemp("weights") / "ast"))


@pytest.fixture
def copy(ast, tmp_path) -> Path:
    """One to spoil."""
    return Path(shutil.copytree(ast, tmp_path / "ast"))


def sounds(count: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(count, SAMPLES, generator=torch.Generator().manual_seed(1))


def plain(folder: Path, kind: str):
    """What the library gives for the clips, each by itself, in a loop where the input is fixed."""
    extractor, model = AutoFeatureExtractor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    encoder = model.get_encoder() if kind == "whisper" else model
    with torch.inference_mode():
        for each in sounds():
            looped = each.repeat(7)[: LOOPED[kind]].numpy()
            yield encoder(**extractor(looped, sampling_rate=RATE, return_tensors="pt"))


def test_clip_and_segments_are_what_the_library_gives(backbone, folder, kind) -> None:
    features, expected = backbone.embed_audio(sounds()), list(plain(folder, kind))
    hidden = torch.cat([each.last_hidden_state for each in expected])
    if kind == "ast":
        clip = torch.cat([each.pooler_output for each in expected])
        patches = hidden[:, 2:].reshape(2, 12, 101, -1)  # 12 over frequency, 101 over time
        segments = torch.stack([patches[:, :, step].mean(1) for step in range(50)], 1)
    else:
        clip, frames = hidden.mean(1), hidden[:, : {"wav2vec2": 249, "whisper": 250}[kind]]
        bounds = torch.linspace(0, frames.shape[1], 17)
        parts = zip(bounds.floor().int()[:-1], bounds.ceil().int()[1:], strict=True)
        segments = torch.stack([frames[:, start:stop].mean(1) for start, stop in parts], 1)
    torch.testing.assert_close(features.clip, clip, rtol=0, atol=1e-5)
    torch.testing.assert_close(features.segments, segments, rtol=0, atol=1e-5)
    assert (backbone.sample_rate, backbone.logit_scale, backbone.embedding_dim) == (RATE, 0, 32)


def test_a_pinned_model_of_the_hub_is_opened_from_its_cache(ast, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shutil.copytree(ast, tmp_path / "models--owner--ast" / "snapshots" / COMMIT)
    assert load(f"owner/ast@{COMMIT}").fingerprint == load(str(ast)).fingerprint
    with pytest.raises(
        BackboneError, match=f"the hub does not give it .*`hf download owner/other --revision {COMMIT}`"
    ):
        load(f"owner/other@{COMMIT}")
    with pytest.raises(BackboneError, match=r"name its commit, owner/ast@COMMIT.*git ls-remote https://\S+/owner/ast"):
        load("owner/ast@main")
    with pytest.raises(BackboneError, match="neither a folder nor OWNER/NAME@COMMIT"):
        load(str(tmp_path / "nowhere"))
    with pytest.raises(BackboneError, match="no weights of its own; name a model"):
        load()


def test_what_is_no_such_encoder_is_refused(copy, tmp_path) -> None:
    with pytest.raises(BackboneError, match="choose the backbone transformers_clap"):
        load(transformers_clap.make(tmp_path / "clap"))
    BertModel(BertConfig(hidden_size=8, num_attention_heads=1, num_hidden_layers=1)).save_pretrained(tmp_path / "bert")
    with pytest.raises(BackboneError, match="cannot be used as an audio encoder"):
        load(str(tmp_path / "bert"))
    settings = copy / "preprocessor_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "max_length": 512}))
    with pytest.raises(
        BackboneError, match=r"spectrograms of \(512, 128\) frames and bands, the model .*\(1024, 128\)"
    ):
        load(str(copy))


def test_weights_that_are_missing_or_no_safetensors_are_named(copy) -> None:
    weights = load_file(copy / "model.safetensors")
    lost = next(name for name in weights if name.endswith("position_embeddings"))
    save_file({name: each for name, each in weights.items() if name != lost}, copy / "model.safetensors")
    with pytest.raises(BackboneError, match=r"1 missing: embeddings\.position_embeddings"):
        load(str(copy))
    (copy / "model.safetensors").unlink()
    torch.save(weights, copy / "pytorch_model.bin")
    with pytest.raises(BackboneError, match=r"model\.safetensors"):
        load(str(copy))


@pytest.fixture(scope="module")
def heard(tmp_path_factory) -> dict[str, list[Path]]:
    return write_sounds(tmp_path_factory.mktemp("sounds"), ("hum", "hiss", "beeps"), clips=4)


def test_a_bank_without_sentences_leaves_out_the_rows_that_read_some(ast, heard, tmp_path) -> None:
    files = tuple(AudioFile(path.stem, path, label) for label, paths in heard.items() for path in paths)
    bank = extract(Dataset("mine", "", "none", files), load(str(ast)), tmp_path / "bank")
    assert bank.lacks(["prompt", "explanations", "caption", "clip", "segments"]) == (
        "prompt",
        "explanations",
        "caption",
    )
    assert bank.header.logit_scale == 0
    draws = few_shot.Draws(ways=(2,), shots=(1,), queries=2, episodes=2, folds=1, fold_classes=3)
    sweep = Sweep("rows", draws, ("prototypical", "knn", "zero-shot", "audio-only"), reference="prototypical")
    assert {row for trial in plan(sweep, bank) for row in trial.variants} == {"prototypical", "knn"}
    said = " ".join(left_out(sweep, bank))
    assert "lacks prompt (`mgcl extract` writes it with a backbone that has a text side): left out: zero-shot" in said
    assert "lacks explanations" in said and "left out: audio-only" in said
    with pytest.raises(SweepError, match="this bank lacks prompt"):
        plan(Sweep("rows", draws, ("zero-shot",)), bank)


def test_a_classifier_takes_a_method_without_language(ast, heard, tmp_path) -> None:
    clips = [path for paths in heard.values() for path in paths[:3]]
    labels = [path.parent.name for path in clips]
    about = {"backbone": "transformers_audio", "weights": str(ast)}
    with pytest.raises(ClassifierError, match=r"multi_grained_kernel reads sentences.* no text side.*: knn, logistic_"):
        FewShotClassifier(**about).fit(clips, labels)
    classifier = FewShotClassifier(**about, method="knn")
    with pytest.raises(ClassifierError, match="no text side; leave `explanations` out"):
        classifier.fit(clips, labels, explanations="esc50")
    classifier.fit(clips, labels).save(tmp_path / "model")
    again = FewShotClassifier.load(tmp_path / "model").rename_class("hum", "drone")
    new = [paths[3] for paths in heard.values()]
    assert list(again.predict(new)) == ["drone", "hiss", "beeps"]
    reasons = again.explain(new[1])
    assert set(reasons.explanations.values()) == {()} and reasons.sentences == () and reasons.strongest_sentence is None
