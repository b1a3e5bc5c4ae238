"""What every backbone that the catalogue finds must hold; those whose weights are fetched, on tiny random ones."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mgcl.backbones.backbone import Aligning, reads_text
from mgcl.catalogue import load, names
from mgcl.errors import BackboneError
from tests.checkpoints import efficientat, laion_clap, mga_clap, ms_clap, transformers_audio, transformers_clap

GOLDEN = Path(__file__).with_name("golden_embeddings.json")
SENTENCES = ("a high-pitched whistle rising in pitch", "deep rumbling thunder", "zyxwv quokka")


# What makes weights for a backbone; None: it brings its own.
CHECKPOINTS = {
    "efficientat": efficientat.make,
    "laion_clap": laion_clap.make,
    "mga_clap": mga_clap.make,
    "mga_clap_codebook": mga_clap.make,
    "ms_clap": ms_clap.make_2022,
    "ms_clap 2023": ms_clap.make_2023,
    "tiny": None,
    "transformers_audio ast": transformers_audio.make_ast,
    "transformers_audio wav2vec2": transformers_audio.make_wav2vec2,
    "transformers_audio whisper": transformers_audio.make_whisper,
    "transformers_clap": transformers_clap.make,
    "transformers_clap fused": partial(transformers_clap.make, fused=True),
}


def test_every_backbone_is_tried() -> None:
    assert {kind.split()[0] for kind in CHECKPOINTS} == set(names("backbone"))


@pytest.fixture(scope="module", autouse=True)
def _hub(hub: Path) -> Path:
    """The text towers' tokenizers are there."""
    return hub


@pytest.fixture(scope="module", params=CHECKPOINTS)
def backbone(request, tmp_path_factory):
    make = CHECKPOINTS[request.param]
    weights = make and make(tmp_path_factory.mktemp("weights"))
    return load("backbone", request.param.split()[0]).load(weights)


def clicks(backbone, *seconds: float) -> torch.Tensor:
    """A clip of quiet noise with a loud knock at each time."""
    rate = backbone.sample_rate
    samples = 1e-4 * np.random.default_rng(0).standard_normal(round(backbone.seconds * rate))
    knock = np.sin(2 * np.pi * 900 * np.arange(rate // 20) / rate) * np.exp(-np.arange(rate // 20) / (rate / 80))
    for second in seconds:
        start = round(second * rate)
        samples[start : start + len(knock)] += knock
    return torch.from_numpy(samples.astype(np.float32))


def noises(backbone, count: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(count, round(backbone.seconds * backbone.sample_rate), generator=random)


@pytest.fixture(scope="module")
def pair(backbone):
    """Features of two clips."""
    return backbone.embed_audio(noises(backbone, 2))


@pytest.fixture(scope="module")
def sentences(backbone) -> torch.Tensor | None:
    """None: the backbone has no text side."""
    return backbone.embed_text(SENTENCES) if reads_text(backbone) else None


@pytest.fixture
def reader(backbone):
    if not reads_text(backbone):
        pytest.skip("has no text side")
    return backbone


def test_shapes_and_lengths_are_what_it_says(backbone, pair, sentences) -> None:
    features = pair
    assert features.segments.shape == (2, backbone.segments, backbone.embedding_dim)
    assert features.clip.shape == (2, backbone.embedding_dim)
    assert features.clip.dtype == features.segments.dtype == torch.float32
    module = load("backbone", backbone.name.split()[0])
    assert getattr(module, "READS_TEXT", True) == (sentences is not None)
    if sentences is not None:
        assert sentences.shape == (3, backbone.embedding_dim)
        assert 1 <= backbone.logit_scale <= 200
    assert not features.clip.requires_grad
    assert (backbone.segments + 1) * backbone.segment_seconds >= backbone.seconds
    assert (backbone.segments - 0.5) * backbone.segment_seconds < backbone.seconds
    assert len(backbone.fingerprint) == 16


def test_a_longer_waveform_has_more_segments_where_the_model_takes_it(backbone) -> None:
    longest = getattr(backbone, "native_seconds", backbone.seconds)
    noise = 0.1 * torch.randn(1, round(longest * backbone.sample_rate), generator=torch.Generator().manual_seed(0))
    segments = backbone.embed_audio(noise).segments[0]
    assert len(segments) == max(backbone.segments, int(longest / backbone.segment_seconds + 1e-6))
    first = backbone.embed_audio(noise[:, : round(backbone.seconds * backbone.sample_rate)]).segments[0]
    assert (longest == backbone.seconds) == torch.equal(segments[: len(first)], first)  # else it takes what follows


def test_the_same_clips_give_the_same_bits(backbone, pair, sentences) -> None:
    again = backbone.embed_audio(noises(backbone, 2))
    assert torch.equal(again.segments, pair.segments)
    assert torch.equal(again.clip, pair.clip)
    assert sentences is None or torch.equal(backbone.embed_text(SENTENCES), sentences)


def test_a_clip_is_heard_as_if_it_were_alone(backbone, pair, sentences) -> None:
    alone = backbone.embed_audio(noises(backbone, 2)[1:])
    assert torch.allclose(pair.segments[1], alone.segments[0], atol=1e-5)
    assert sentences is None or torch.allclose(sentences[:1], backbone.embed_text(SENTENCES[:1]), atol=1e-5)


def test_its_module_says_whether_it_divides_a_cosine(backbone) -> None:
    assert getattr(load("backbone", backbone.name.split()[0]), "ALIGNS", False) == isinstance(backbone, Aligning)


def test_silence_is_finite(backbone) -> None:
    features = backbone.embed_audio(torch.zeros(1, round(backbone.seconds * backbone.sample_rate)))
    assert features.segments.isfinite().all()
    assert features.clip.isfinite().all()


def test_the_segments_are_in_order_of_time(backbone) -> None:
    """Of two clips that differ in when a knock is heard, the segments at those two times differ the most."""
    times = 0.7, backbone.seconds - 0.8
    early, late = (backbone.embed_audio(clicks(backbone, second)[None]).segments[0] for second in times)
    moved = (early - late).norm(dim=1)
    centres = (torch.arange(backbone.segments) + 0.5) * backbone.segment_seconds
    halves = centres < backbone.seconds / 2
    for half, second in zip((halves, ~halves), times, strict=True):
        loudest = centres[(moved * half).argmax()]
        assert abs(loudest - second) < 0.5, (second, float(loudest))
    elsewhere = torch.stack([(centres - second).abs() > 1 for second in times]).all(0)
    assert moved[elsewhere].max() < moved.max() / 2


def test_unknown_words_are_read_not_dropped(reader) -> None:
    one, other, neither = reader.embed_text(["a quokka calls", "a zyzzyva calls", "a calls"])
    assert not torch.allclose(one, other, atol=1e-3)
    assert not torch.allclose(one, neither, atol=1e-3)


def test_a_sentence_that_cannot_be_read_is_named(backbone) -> None:
    for sentence in ("", "on and on " * 400):
        named = sentence[:9] or "''"
        with pytest.raises(BackboneError, match=named if reads_text(backbone) else "has no text side"):
            backbone.embed_text(["fine", sentence])


@pytest.mark.parametrize("name", [name for name, make in CHECKPOINTS.items() if make is None])
def test_embeddings_are_the_same_on_every_machine(name) -> None:
    backbone = load("backbone", name).load()
    ramp = torch.arange(round(backbone.seconds * backbone.sample_rate)) % 1000 / 1000 - 0.5
    features = backbone.embed_audio(ramp[None])
    found = {
        "clip": features.clip[0, :8].tolist(),
        "segment": features.segments[0, 5, :8].tolist(),
        "text": backbone.embed_text(SENTENCES[:1])[0, :8].tolist(),
    }
    golden = json.loads(GOLDEN.read_text()).get(name)
    assert golden is not None, f"add to {GOLDEN.name}: {json.dumps({name: found})}"
    for part, values in golden.items():
        assert found[part] == pytest.approx(values, abs=1e-5), part
