"""CLAPs of transformers, small and with random weights, against the library itself."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import ClapFeatureExtractor, ClapModel

from mgcl.backbones.transformers_clap import load
from mgcl.errors import BackboneError
from tests.checkpoints.transformers_clap import make

WINDOW = 240000


@pytest.fixture(scope="module", params=[False, True], ids=["unfused", "fused"])
def folder(request, tmp_path_factory) -> Path:
    return Path(make(tmp_path_factory.mktemp("clap"), fused=request.param))


@pytest.fixture
def copy(tmp_path) -> Path:
    """One to spoil."""
    return Path(make(tmp_path / "clap"))


def sounds(count: int) -> torch.Tensor:
    return 0.1 * torch.randn(count, WINDOW, generator=torch.Generator().manual_seed(1))


def test_the_clip_is_what_the_library_embeds(folder) -> None:
    heard = load(str(folder)).embed_audio(sounds(3)).clip
    model = ClapModel.from_pretrained(folder).eval()
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    inputs = extractor(list(sounds(3).repeat(1, 2).numpy()), sampling_rate=48000, return_tensors="pt")
    with torch.inference_mode():
        expected = model.get_audio_features(inputs["input_features"], is_longer=torch.zeros(3, 1)).pooler_output
    torch.testing.assert_close(heard, expected, rtol=0, atol=1e-5)


def test_the_segments_are_the_steps_that_the_library_pools(folder) -> None:
    backbone = load(str(folder))
    model = ClapModel.from_pretrained(folder).eval()
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    inputs = extractor(sounds(1)[0].repeat(2).numpy(), sampling_rate=48000, return_tensors="pt")
    with torch.inference_mode():
        heard = model.audio_model(inputs["input_features"], is_longer=torch.zeros(1, 1))
        steps = heard.last_hidden_state.mean(2).mT
        projected = torch.nn.functional.normalize(model.audio_projection(steps), dim=-1)
    assert steps.shape[1] == 32
    torch.testing.assert_close(steps.mean(1), heard.pooler_output, rtol=0, atol=1e-5)
    torch.testing.assert_close(backbone.embed_audio(sounds(1)).segments, projected[:, :16], rtol=0, atol=1e-5)


def test_a_sentence_is_what_the_library_embeds(folder) -> None:
    backbone = load(str(folder))
    model = ClapModel.from_pretrained(folder).eval()
    tokens = backbone._tokenizer(["a dog barks twice"], return_tensors="pt")
    with torch.inference_mode():
        expected = model.get_text_features(**tokens).pooler_output
    read = backbone.embed_text(["a dog barks twice", "a longer sentence, so that the first is padded"])
    torch.testing.assert_close(read[:1], expected, rtol=0, atol=1e-5)


def test_it_says_what_it_is(folder) -> None:
    backbone = load(str(folder))
    assert backbone.name == f"transformers_clap {folder.name}"
    assert (backbone.sample_rate, backbone.seconds, backbone.segments) == (48000, 5.0, 16)
    assert backbone.segment_seconds == 10 / 32
    assert backbone.logit_scale == pytest.approx(1 / 0.07)
    assert backbone.fingerprint == load(str(folder)).fingerprint


def test_nothing_is_drawn_from_the_global_generators(folder) -> None:
    backbone = load(str(folder))
    np.random.seed(0)  # noqa: NPY002  the global generator is the one in question
    following = np.random.randint(1 << 30)  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    backbone.embed_audio(sounds(2))
    assert np.random.randint(1 << 30) == following  # noqa: NPY002


def test_the_environment_chooses_it_and_it_is_silent(folder, monkeypatch, capfd) -> None:
    monkeypatch.setenv("MGCL_TRANSFORMERS_CLAP_WEIGHTS", str(folder))
    load()
    assert capfd.readouterr() == ("", "")


def rename(state: dict[str, torch.Tensor]) -> None:
    state["logit_scale_b"] = state.pop("logit_scale_a")


def drop(state: dict[str, torch.Tensor]) -> None:
    del state["audio_projection.linear1.weight"]


def reshape(state: dict[str, torch.Tensor]) -> None:
    state["text_projection.linear1.bias"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (rename, "1 missing: logit_scale_a; 1 unexpected: logit_scale_b"),
        (drop, r"1 missing: audio_projection\.linear1\.weight\)"),
        (reshape, r"1 of another shape: text_projection\.linear1\.bias"),
    ],
)
def test_other_keys_than_the_models_are_listed(copy, spoil, message) -> None:
    state = load_file(copy / "model.safetensors")
    spoil(state)
    save_file(state, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(BackboneError, match=message):
        load(str(copy))


def test_constants_may_be_missing(copy) -> None:
    complete = load(str(copy)).fingerprint
    state = load_file(copy / "model.safetensors")
    constants = [key for key in state if key.endswith(("position_ids", "relative_position_index"))]
    assert constants
    for key in constants:
        del state[key]
    save_file(state, copy / "model.safetensors", {"format": "pt"})
    assert load(str(copy)).fingerprint == complete


class Code:
    """What a pickle may hold that runs when it is read."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.made),)


def test_code_in_a_checkpoint_is_not_run(copy, tmp_path) -> None:
    (copy / "model.safetensors").unlink()
    torch.save({"logit_scale_a": Code(tmp_path / "made")}, copy / "pytorch_model.bin")
    with pytest.raises(BackboneError, match="cannot be loaded as a CLAP"):
        load(str(copy))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"])
def test_a_file_that_cannot_be_read_is_an_error_of_one_line(copy, name) -> None:
    (copy / name).write_text("{")
    with pytest.raises(BackboneError, match=r"^[^\n]*cannot be loaded as a CLAP[^\n]*$"):
        load(str(copy))


def test_a_tokenizer_without_words_is_refused(copy) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(BackboneError, match="tokenizer"):
        load(str(copy))


def test_a_tokenizer_of_other_words_is_refused(copy) -> None:
    words = {f"word{number}": number for number in range(1999)} | {"<unk>": 1999}
    tokenizer = Tokenizer(models.WordLevel(words, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(copy / "tokenizer.json"))
    with pytest.raises(BackboneError, match="reads 'a dog barks' as"):
        load(str(copy))


def test_another_model_is_refused(hub) -> None:
    (snapshot,) = (hub / "hub" / "models--roberta-base" / "snapshots").iterdir()
    with pytest.raises(BackboneError, match=r"it is a roberta\); fetch it again, or choose one like laion/clap-htsat"):
        load(str(snapshot))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("nobody/clap", "nobody/clap/config.json: neither here .* run `hf download nobody/clap` where"),
        ("/no/such/folder", "/no/such/folder: neither here nor an OWNER/REPOSITORY"),
    ],
)
def test_what_cannot_be_had_is_named(weights, message) -> None:
    with pytest.raises(BackboneError, match=message):
        load(weights)
