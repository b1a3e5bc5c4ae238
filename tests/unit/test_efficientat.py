"""The backbone efficientat: against a second implementation, its refusals, and when it is the default."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import get_window
from torch.nn import functional as F

from mgcl import FewShotClassifier
from mgcl.audio.decoding import opened
from mgcl.backbones import default, efficientat
from mgcl.backbones._kaldi_mel import log_mel
from mgcl.captioners import tags
from mgcl.classifier.embedding import loaded_backbone
from mgcl.data.dataset import AudioFile
from mgcl.errors import BackboneError
from tests.checkpoints.efficientat import make
from tests.generated_sounds import RATE, waveform

REAL = Path(__file__).parents[3] / "shared" / "data"
CLIPS = ("1-100032-A-0", "1-17367-A-10", "1-19898-A-41", "1-21934-A-38", "1-172649-B-40")
# kernel, stride, gate, hard-swish of the 15 blocks, as the MobileNetV3 paper's Table 1 has them.
TABLE = (
    "3 1 - R", "3 2 - R", "3 1 - R", "5 2 S R", "5 1 S R", "5 1 S R", "3 2 - H", "3 1 - H", "3 1 - H", "3 1 - H",
    "3 1 S H", "3 1 S H", "5 2 S H", "5 1 S H", "5 1 S H",
)  # fmt: skip


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """The published front end in float64, by frames and by numpy's FFT; (mels, time)."""
    x = samples.astype(np.float64)
    x = x[1:] - 0.97 * x[:-1]
    window = np.zeros(1024)
    window[112:912] = get_window("hann", 800, fftbins=False)
    padded = np.pad(x, 512, mode="reflect")
    frames = np.stack([padded[start : start + 1024] * window for start in range(0, len(x) + 1, 320)])
    power = np.abs(np.fft.rfft(frames)) ** 2
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)  # noqa: E731
    width = mel(15000) / 129
    bands = np.zeros((128, 513))
    for band in range(128):
        for bin_ in range(512):
            position = mel(bin_ * 31.25) / width - band
            bands[band, bin_] = max(0.0, min(position, 2 - position))
    return (np.log(bands @ power.T + 1e-5) + 4.5) / 5


def norm(x: torch.Tensor, state: dict, name: str) -> torch.Tensor:
    mean, var, scale, shift = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    shape = (1, -1, 1, 1)
    return (x - mean.view(shape)) / (var.view(shape) + 0.001).sqrt() * scale.view(shape) + shift.view(shape)


def logits(spectrogram: np.ndarray, state: dict[str, torch.Tensor]) -> np.ndarray:
    """The published network in float64, by its weights' names alone; time steps and the clip, (17, 527)."""
    state = {name: value.double() for name, value in state.items()}

    def convolved(x, name, stride=1, act=None):
        weight = state[f"{name}.0.weight"]
        groups = x.shape[1] if weight.shape[1] == 1 and x.shape[1] > 1 else 1
        x = norm(F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=groups), state, f"{name}.1")
        return {"R": torch.relu, "H": lambda y: y * torch.clamp(y + 3, 0, 6) / 6, None: lambda y: y}[act](x)

    x = convolved(torch.from_numpy(spectrogram)[None, None], "features.0", 2, "H")
    for number, row in enumerate(TABLE, start=1):
        _, stride, gate, act = row.split()
        before, name, layer = x, f"features.{number}.block", 0
        if f"{name}.3.0.weight" in state or (gate == "-" and f"{name}.2.0.weight" in state):
            x, layer = convolved(x, f"{name}.0", 1, act), 1
        x = convolved(x, f"{name}.{layer}", int(stride), act)
        if gate == "S":
            layer += 1
            squeeze = f"{name}.{layer}.conc_se_layers.0"
            hidden = torch.relu(F.linear(x.mean((2, 3)), state[f"{squeeze}.fc1.weight"], state[f"{squeeze}.fc1.bias"]))
            opened_by = torch.sigmoid(F.linear(hidden, state[f"{squeeze}.fc2.weight"], state[f"{squeeze}.fc2.bias"]))
            x = x * opened_by[:, :, None, None]
        x = convolved(x, f"{name}.{layer + 1}")
        if before.shape == x.shape:
            x = x + before
    x = convolved(x, "features.16", 1, "H")
    steps = x.mean(2)[0].T
    features = torch.cat([steps, steps.mean(0, keepdim=True)])
    hidden = F.linear(features, state["classifier.2.weight"], state["classifier.2.bias"])
    hidden = hidden * torch.clamp(hidden + 3, 0, 6) / 6
    return F.linear(hidden, state["classifier.5.weight"], state["classifier.5.bias"]).numpy()


def tagger_of(file: Path) -> tuple[efficientat.MobileNet, dict[str, torch.Tensor]]:
    return efficientat._tagger(file).eval(), torch.load(file, weights_only=True)


def refuse_unlike(tagger: efficientat.MobileNet, state: dict, samples: np.ndarray) -> None:
    """Probabilities of the clip and of its time steps, against the second implementation."""
    given = torch.from_numpy(samples.astype(np.float32))[None]
    expected = spectrogram(samples)
    assert np.abs(log_mel(given)[0].numpy() - expected).max() < 2e-3  # float32, near digital silence
    with torch.inference_mode():
        steps = tagger.steps(log_mel(given))[0]
        found = torch.cat([tagger.scores(steps), tagger.scores(steps.mean(0, keepdim=True))]).sigmoid().numpy()
    assert np.abs(found - 1 / (1 + np.exp(-logits(expected, state)))).max() < 1e-3


def test_random_weights_give_what_a_second_implementation_gives(tmp_path) -> None:
    tagger, state = tagger_of(Path(make(tmp_path)))
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * 32000)
    refuse_unlike(tagger, state, noise)
    refuse_unlike(tagger, state, noise[: 3 * 32000 + 17])


@pytest.mark.parametrize("clip", CLIPS)
def test_published_weights_give_what_a_second_implementation_gives_of_recordings(clip: str) -> None:
    file, audio = REAL / "efficientat" / efficientat.TAGGER.name, REAL / "esc10" / "audio" / f"{clip}.ogg"
    if not file.is_file() or not audio.is_file():
        pytest.skip(f"{file} or {audio} is not here")
    with opened(audio) as recording:
        samples = recording.read(0, recording.frames)
    # Read as if it were at 32 kHz: what is compared is what is made of the same samples.
    refuse_unlike(*tagger_of(file), np.asarray(samples, dtype=np.float64).reshape(-1)[: 5 * 32000])


@pytest.fixture
def weights(tmp_path, hub) -> str:  # noqa: ARG001 - the sentence encoder is there
    return make(tmp_path)


def test_a_cosine_with_a_sentence_is_by_labels_alone_and_one_of_clips_by_both(weights: str) -> None:
    backbone = efficientat.load(weights)
    clip = 0.1 * torch.randn(1, 5 * 32000, generator=torch.Generator().manual_seed(0))
    embedded, sentences = backbone.embed_audio(clip).clip, backbone.embed_text([*backbone.labels])
    width = backbone.embedding_dim - 48
    assert not sentences[:, 48:].any()
    assert embedded[:, 48:].norm() == pytest.approx(2 / 5**0.5, abs=1e-5)
    best = backbone.scores(clip)[0].topk(8)
    by_hand = F.normalize(best.values @ sentences[best.indices, :48], dim=0)
    assert torch.allclose(embedded[0, :48] * 5**0.5, by_hand, atol=1e-4)
    assert width == 6 * 16


def test_weights_of_another_kind_are_refused(tmp_path, weights: str) -> None:
    state = torch.load(weights, weights_only=True)

    def without(part: str) -> dict[str, torch.Tensor]:
        return {name: value for name, value in state.items() if part not in name}

    cases = {
        "mn01_as.pt": (without("classifier.5"), "not EfficientAT's"),
        "mn10_as_hop_5_mAP_475.pt": (state, "spectrograms of another resolution"),
        "mn04_as_mAP_432.pt": (state, "bytes, but 4,066,513 are published; fetch it again"),
        "less.pt": (without("features.3.block.0.0.weight"), "1 missing: features.3.block.0.0.weight"),
        "more.pt": (state | {"extra": torch.zeros(1)}, "1 unexpected: extra"),
        "few.pt": (state | {"classifier.5.bias": torch.zeros(10)}, "scores 10 classes, AudioSet has 527"),
    }  # fmt: skip
    for name, (content, says) in cases.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(BackboneError, match=re.escape(says)):
            efficientat.load(str(tmp_path / name))
    with pytest.raises(BackboneError, match=r"gone\.pt: no such file"):
        efficientat.load(str(tmp_path / "gone.pt"))


def test_any_sentence_encoder_is_read_from_a_folder(weights: str, monkeypatch, hub: Path) -> None:
    backbone = efficientat.load(weights)
    (folder,) = hub.glob("hub/models--sentence-transformers--*/snapshots/*")
    monkeypatch.setenv("MGCL_EFFICIENTAT_TEXT", str(folder))
    named = efficientat.load(weights)
    assert named.fingerprint == backbone.fingerprint
    assert named.name == f"{backbone.name} with {folder.name}"


def test_where_none_is_named_it_is_taken_if_its_weights_are_here(weights: str, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    name, why, _ = default()
    assert name == "tiny"
    assert "`mgcl weights fetch efficientat` fetches what is missing (at most 95 MB)" in why
    monkeypatch.setenv("MGCL_EFFICIENTAT_WEIGHTS", weights)
    assert default().name == "efficientat"
    assert default("elsewhere").name == "tiny"
    sounds = [waveform(kind, seed) for kind in ("hum", "beeps") for seed in range(2)]
    classifier = FewShotClassifier(method="mgcl", sample_rate=RATE, epochs=0, fusion="audio")
    classifier.fit(sounds, ["hum", "hum", "beeps", "beeps"]).save(tmp_path / "model")
    assert (classifier.backbone, classifier.backbone_) == (None, "efficientat")
    assert "backbone: efficientat" in capsys.readouterr().err
    expected = classifier.logits(sounds)
    monkeypatch.setenv("MGCL_EFFICIENTAT_WEIGHTS", "")
    loaded_backbone.cache_clear()  # as in another process
    with pytest.raises(BackboneError, match="mgcl weights fetch efficientat"):
        FewShotClassifier.load(tmp_path / "model").predict(sounds)
    again = FewShotClassifier.load(tmp_path / "model", weights=weights)
    assert (again.logits(sounds) == expected).all()


def test_captions_are_the_best_labels_in_a_sentence(weights: str, tmp_path) -> None:
    file = tmp_path / "clip.wav"
    soundfile.write(file, waveform("hum", 0, 5.0), RATE)
    (caption,) = tags.load(weights).caption([AudioFile("clip", file, "hum")])
    named = re.fullmatch("the sound of (.+), with (.+) and (.+)", caption)
    assert named is not None
    assert named[1] in {label.lower() for label in efficientat.load(weights).labels}
