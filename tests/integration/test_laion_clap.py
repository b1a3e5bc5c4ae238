"""LAION-CLAP with random weights: the package as it is, our loading against its own."""

import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
import torch
from transformers import RobertaTokenizer

from mgcl import extras
from mgcl.backbones.laion_clap import DEFAULT, LaionClap, build, load
from mgcl.errors import BackboneError
from tests.checkpoints.laion_clap import make

WINDOW = 240000
pytestmark = pytest.mark.usefixtures("hub")
PATCH = "module.audio_branch.patch_embed.proj.weight"


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # 150 MB, which pytest would keep
        yield Path(make(Path(folder)))


@pytest.fixture(scope="module")
def backbone(file) -> LaionClap:
    return load(str(file))


@pytest.fixture(scope="module")
def package(file):
    """The package, which loads the checkpoint by itself."""
    module = build("HTSAT-tiny")
    module.load_ckpt(str(file), verbose=False)
    return module.eval()


def sounds(count: int) -> torch.Tensor:
    return 0.1 * torch.randn(count, WINDOW, generator=torch.Generator().manual_seed(1))


def test_the_clip_is_what_the_package_embeds(backbone, package) -> None:
    waveforms = sounds(2)
    waveforms[0, :1000] = 3.0  # clipped, as the package does
    expected = package.get_audio_embedding_from_data(waveforms.repeat(1, 2).numpy())
    torch.testing.assert_close(backbone.embed_audio(waveforms).clip, torch.from_numpy(expected), rtol=0, atol=1e-5)


def test_a_sentence_is_what_the_package_embeds(backbone, package) -> None:
    sentences = ["a dog barks twice", "a longer sentence, so that the first is padded"]
    expected = torch.from_numpy(package.get_text_embedding(sentences))
    torch.testing.assert_close(backbone.embed_text(sentences), expected, rtol=0, atol=1e-5)


def test_the_segments_are_the_steps_that_the_package_pools(backbone, package) -> None:
    waveform = (sounds(1) * 32767).to(torch.int16) / 32767
    with torch.inference_mode():
        heard = package.model.encode_audio({"waveform": waveform.repeat(1, 2)}, device="cpu")
        frames = heard["fine_grained_embedding"].unflatten(1, (32, 32))
        steps = frames[:, :, 0]
        projected = torch.nn.functional.normalize(package.model.audio_projection(steps), dim=-1)
    assert torch.equal(frames, steps[:, :, None].expand_as(frames))
    torch.testing.assert_close(steps.mean(1), heard["embedding"], rtol=0, atol=1e-5)
    torch.testing.assert_close(backbone.embed_audio(waveform).segments, projected[:, :16], rtol=0, atol=1e-5)


def test_it_says_what_it_is(backbone) -> None:
    assert backbone.name == "laion_clap HTSAT-tiny.pt"
    assert (backbone.embedding_dim, backbone.segments, backbone.segment_seconds) == (512, 16, 10 / 32)
    assert backbone.logit_scale == pytest.approx(1 / 0.07)


def test_the_larger_one_is_known_by_its_shapes(tmp_path) -> None:
    file = Path(make(tmp_path, "HTSAT-base"))
    backbone = load(str(file))
    file.unlink()
    assert backbone.embed_audio(sounds(1)).segments.shape == (1, 16, 512)


def test_the_process_is_left_as_it_was_and_nothing_is_printed(file, monkeypatch, capfd) -> None:
    monkeypatch.setenv("MGCL_LAION_CLAP_WEIGHTS", str(file))
    before = list(sys.path), list(logging.root.handlers), huggingface_hub.constants.HF_HUB_OFFLINE
    load()
    assert before == (list(sys.path), list(logging.root.handlers), huggingface_hub.constants.HF_HUB_OFFLINE)
    assert ("torchvision" in sys.modules) == (importlib.util.find_spec("torchvision") is not None)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("module.logit_scale_a", "module.logit_scale_b", "1 missing: logit_scale_a; 1 unexpected: logit_scale_b"),
        ("module.audio_projection.0.bias", None, r"1 missing: audio_projection\.0\.bias\)"),
    ],
)
def test_other_keys_than_the_models_are_listed(file, tmp_path, old, new, message) -> None:
    checkpoint = torch.load(file, weights_only=False)
    moved = checkpoint["state_dict"].pop(old)
    if new:
        checkpoint["state_dict"][new] = moved
    spoilt = tmp_path / "spoilt.pt"
    torch.save(checkpoint, spoilt)
    with pytest.raises(BackboneError, match=message):
        load(str(spoilt))
    spoilt.unlink()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"module.audio_branch.patch_embed.fusion_model.x": torch.zeros(1)}, "use the backbone transformers_clap"),
        ({PATCH: torch.zeros(256, 1, 4, 4)}, "has 256 channels, theirs 96 or 128"),
        ({"something.else": torch.zeros(1)}, "not LAION-CLAP"),
    ],
)
def test_other_models_are_refused(tmp_path, state, message) -> None:
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "other.pt")
    with pytest.raises(BackboneError, match=message):
        load(str(tmp_path / "other.pt"))


class Code:
    """What a pickle may hold that runs when it is read."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.made),)


def test_code_in_a_checkpoint_is_not_run(tmp_path) -> None:
    torch.save({"state_dict": {}, "code": Code(tmp_path / "made")}, tmp_path / "code.pt")
    with pytest.raises(BackboneError, match="beside its tensors, which is not loaded"):
        load(str(tmp_path / "code.pt"))
    assert not (tmp_path / "made").exists()


def test_what_is_not_installed_is_named(monkeypatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(BackboneError, match=r"needs laion_clap: pip install 'mgcl\[laion\]', on Python 3.11 or 3.12"):
        build("HTSAT-tiny")


def test_a_text_tower_that_cannot_be_had_is_named_at_once(hub, tmp_path) -> None:
    roberta = hub / "hub" / "models--roberta-base"
    roberta.rename(tmp_path / "roberta")
    try:
        with pytest.raises(BackboneError, match=r"run `hf download roberta-base config\.json tokenizer\.json model"):
            build("HTSAT-tiny")
    finally:
        (tmp_path / "roberta").rename(roberta)


def test_an_empty_tokenizer_is_refused(file, monkeypatch) -> None:
    monkeypatch.setattr(RobertaTokenizer, "from_pretrained", lambda _: RobertaTokenizer())
    with pytest.raises(BackboneError, match="its tokenizer has 5 tokens"):
        load(str(file))


def test_a_sentence_that_is_too_long_is_named_not_cut(backbone) -> None:
    with pytest.raises(BackboneError, match=r"'on and on .* is \d+ tokens"):
        backbone.embed_text(["fine", "on and on " * 30])


def test_no_checkpoint_is_named() -> None:
    with pytest.raises(BackboneError, match=r"run `hf download lukewys/laion_clap 630k-audioset-best\.pt`"):
        load(DEFAULT)
