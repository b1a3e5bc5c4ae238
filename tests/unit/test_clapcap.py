"""Clapcap, on a small checkpoint with the published keys."""

import numpy as np
import pytest
import soundfile
import torch

from mgcl.captioners import msclap
from mgcl.data.dataset import AudioFile
from mgcl.errors import BackboneError, DataError
from tests.checkpoints.ms_clap import make_2023, make_clapcap

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_clapcap(tmp_path_factory.mktemp("clapcap"))


@pytest.fixture(scope="module")
def captioner(checkpoint):
    return msclap.load(checkpoint)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Noise and a tone: what differs is what is heard."""
    folder = tmp_path_factory.mktemp("clips")
    sounds = {"noise": np.random.default_rng(0).normal(0, 0.3, 22050), "tone": np.sin(np.arange(88200) * 0.1)}
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, 22050)
    return [AudioFile(clip_id=name, label="a", path=folder / f"{name}.wav") for name in sounds]


def test_each_clip_has_its_own_caption(captioner, clips) -> None:
    captions = captioner.caption(clips)
    assert captions == captioner.caption(clips)
    assert captions == [captioner.caption([clip])[0] for clip in clips]
    assert captions[0] != captions[1]
    assert all(caption == " ".join(caption.split()) != "" for caption in captions)


def test_a_clip_of_which_nothing_is_said_is_named(captioner, clips, monkeypatch) -> None:
    nothing = torch.full((1, 2), captioner._tokenizer(" ").input_ids[0])
    monkeypatch.setattr(captioner._model.gpt, "generate", lambda **_: nothing)
    with pytest.raises(DataError, match="tone: clapcap says nothing of it"):
        captioner.caption(clips[1:])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("clap_project.linear.weight", "1 missing: clap_project.linear.weight"),
        ("clap_project.prefix_const", "not the weights of clapcap .missing: 'prefix_const'"),
        ("gpt.lm_head.weight", "1 missing: gpt.lm_head.weight"),
    ],
)
def test_a_missing_key_is_named(checkpoint, tmp_path, key, message) -> None:
    state = torch.load(checkpoint)["model"]
    del state[key]
    torch.save({"model": state}, tmp_path / "damaged.pth")
    with pytest.raises(BackboneError, match=rf"damaged\.pth: .*{message}"):
        msclap.load(str(tmp_path / "damaged.pth"))


def test_the_backbone_is_no_captioner(tmp_path) -> None:
    with pytest.raises(BackboneError, match=r"CLAP_weights_2023\.pth: not the weights of clapcap"):
        msclap.load(make_2023(tmp_path))
