"""MS-CLAP 2022 and 2023, on small checkpoints with the published keys."""

from dataclasses import replace

import pytest
import torch

from mgcl.backbones import ms_clap
from mgcl.backbones._cnn14 import STEP
from mgcl.errors import BackboneError
from tests.checkpoints.ms_clap import D, make_2022, make_2023
from tests.contracts.test_backbones import clicks

pytestmark = pytest.mark.usefixtures("hub")
MAKE = {2022: make_2022, 2023: make_2023}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ms_clap")
    return {year: make(folder) for year, make in MAKE.items()}


@pytest.fixture(scope="module", params=MAKE)
def year(request):
    return request.param


@pytest.fixture(scope="module")
def backbone(files, year):
    return ms_clap.load(files[year])


@pytest.fixture
def damaged(files, year, tmp_path):
    """Writes the checkpoint once more, with something done to its state dict; gives the path."""

    def write(change) -> str:
        state = torch.load(files[year])["model"]
        change(state)
        torch.save({"model": state}, tmp_path / "damaged.pth")
        return str(tmp_path / "damaged.pth")

    return write


def test_which_model_it_is_is_seen_from_the_keys(backbone, year) -> None:
    assert backbone.name == f"ms_clap CLAP_weights_{year}.pth"
    assert (backbone.segments, round(backbone.segment_seconds, 4)) == {2022: (21, 0.2322), 2023: (23, 0.2188)}[year]
    assert (backbone.embedding_dim, backbone.sample_rate, backbone.seconds) == (D, 44100, 5.0)
    assert backbone.logit_scale == pytest.approx(1 / 0.07)


def test_the_segments_are_those_with_a_centre_in_the_window(backbone) -> None:
    assert (backbone.segments - 0.5) * backbone.segment_seconds < backbone.seconds


def test_every_embedding_has_unit_length(backbone) -> None:
    features = backbone.embed_audio(clicks(backbone, 1.0, 3.0)[None])
    for embeddings in (features.segments, features.clip, backbone.embed_text(["rain", "a dog barks!"])):
        assert torch.allclose(embeddings.norm(dim=-1), torch.ones(embeddings.shape[:-1]))


def test_a_knock_is_heard_when_it_is_there(backbone) -> None:
    silence, *knocks = (backbone.embed_audio(clicks(backbone, *at)[None]).segments[0] for at in ((), (0.7,), (4.2,)))
    for knock, second in zip(knocks, (0.7, 4.2), strict=True):
        loudest = (knock - silence).norm(dim=1).argmax()
        assert abs((loudest + 0.5) * backbone.segment_seconds - second) < 0.3


def test_cnn14_pools_one_step_as_a_clip_of_that_step(files) -> None:
    tower = ms_clap.load(files[2022])._model.audio_encoder["base"]
    steps, clip = tower(torch.randn(1, STEP))
    assert steps.shape[1] == 1
    assert torch.allclose(steps[:, 0], clip)


def test_the_2023_model_hears_the_window_again_after_its_end(files) -> None:
    backbone = ms_clap.load(files[2023])
    window = torch.randn(1, 5 * 44100)
    seven = torch.cat([window, window[:, : 2 * 44100]], dim=1)
    assert torch.equal(backbone.embed_audio(window).clip, backbone.embed_audio(seven).clip)


def test_two_checkpoints_have_two_fingerprints(files, damaged, year, backbone) -> None:
    other = damaged(lambda state: state["audio_encoder.projection.linear1.weight"].neg_())
    assert ms_clap.load(files[year]).fingerprint == backbone.fingerprint
    assert ms_clap.load(other).fingerprint != backbone.fingerprint


def test_the_environment_names_the_checkpoint(files, monkeypatch) -> None:
    monkeypatch.setenv("MGCL_MS_CLAP_WEIGHTS", files[2023])
    assert ms_clap.load().name == "ms_clap CLAP_weights_2023.pth"


KEY = "audio_encoder.projection.linear2.weight"
SIZE = "caption_encoder.projection.linear1.weight"
BEARING = {
    2022: "caption_encoder.base.embeddings.word_embeddings.weight",
    2023: "caption_encoder.base.wte.weight",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop(KEY), f"1 missing: {KEY}"),
        (lambda state: state.update(other=state.pop(KEY)), f"1 missing: {KEY}; 1 unexpected: other"),
        (lambda state: state.update({KEY: torch.zeros(2, D)}), f"1 of another shape: {KEY}"),
        (lambda state: state.update({SIZE: torch.zeros(D, 3)}), f"1 of another shape: {SIZE}"),
        (lambda state: state.pop("audio_encoder.projection.linear1.weight"), "missing: 'audio_encoder.projection"),
    ],
)
def test_the_keys_must_be_the_models(damaged, change, message) -> None:
    with pytest.raises(BackboneError, match=rf"damaged\.pth: .*{message}"):
        ms_clap.load(damaged(change))


def test_a_tensor_that_says_a_size_is_named_when_it_is_missing(damaged, year) -> None:
    key = BEARING[year].removeprefix("caption_encoder.base.")
    with pytest.raises(BackboneError, match=f"not the weights of MS-CLAP {year} .*{key}"):
        ms_clap.load(damaged(lambda state: state.pop(BEARING[year])))


def test_a_tokenizer_of_another_vocabulary_is_refused(damaged, year) -> None:
    def cut(state) -> None:
        state[BEARING[year]] = state[BEARING[year]][:-1]

    with pytest.raises(BackboneError, match=r"has 2000 tokens .* embeds 1999; fetch"):
        ms_clap.load(damaged(cut))


def test_a_tokenizer_that_is_not_there_is_named(files, monkeypatch) -> None:
    monkeypatch.setattr(ms_clap, "_2022", replace(ms_clap._2022, tokenizer="no-such-tokenizer"))
    with pytest.raises(BackboneError, match=r"hf download no-such-tokenizer.*HF_HOME"):
        ms_clap.load(files[2022])


class Code:
    def __reduce__(self):
        return print, ("this ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}}, r"not MS-CLAP's: its keys \(none\)"),
        ({"model": {"clap.audio_encoder.base.fc1.weight": torch.zeros(1)}}, "neither MS-CLAP 2022 nor 2023"),
        ({"model": Code()}, "beside its tensors, which is not loaded"),
        (torch.zeros(3), "holds a Tensor"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, capsys, content, message) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(BackboneError, match=rf"other\.pth: .*{message}"):
        ms_clap.load(str(tmp_path / "other.pth"))
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize("sentence", ["", "  ", "rain and rain " * 60])
def test_a_sentence_that_cannot_be_read_is_named(backbone, sentence) -> None:
    with pytest.raises(BackboneError, match=f"^{sentence[:14]!r}"[:-1]):
        backbone.embed_text(["rain", sentence])
