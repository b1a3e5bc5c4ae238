"""From audio files to features, beside what cannot be saved: the model's own time, and the decoding."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from mgcl.audio.excerpt import load_clip
from mgcl.backbones import tiny
from mgcl.backbones.backbone import AudioFeatures
from mgcl.data import soundscapes
from mgcl.data.dataset import AudioFile
from mgcl.extraction.embedding import embed_clips
from mgcl.features.mel_statistics import mel_statistics

CLIPS = 400
SECONDS_A_CLIP = 0.004


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[AudioFile, ...]:
    """Noise in ogg files of five seconds at 44.1 kHz: decoded and resampled, as recordings are."""
    folder, random = tmp_path_factory.mktemp("audio"), np.random.default_rng(0)
    names = [folder / f"{index:03}.ogg" for index in range(CLIPS)]
    for name in names:
        soundfile.write(name, 0.1 * random.standard_normal(5 * 44100), 44100, format="OGG", subtype="VORBIS")
    return tuple(AudioFile(name.stem, name, "noise") for name in names)


def gpu_like() -> SimpleNamespace:
    """A stand-in for a backbone on a GPU: it takes its time and no processor."""

    def embed_audio(waveforms: torch.Tensor) -> AudioFeatures:
        time.sleep(SECONDS_A_CLIP * len(waveforms))
        return AudioFeatures(torch.zeros(len(waveforms), 16, 64), torch.zeros(len(waveforms), 64))

    return SimpleNamespace(embed_audio=embed_audio, sample_rate=48000, seconds=5.0, embedding_dim=64, segments=16)


@pytest.mark.parametrize("decoders", [1, 2])
@pytest.mark.parametrize("which", ["mgcl", "the model alone", "decoding alone"])
def test_decoding_hides_behind_a_model_of_four_milliseconds_a_clip(timed, files, which, decoders) -> None:
    backbone = gpu_like()

    def decode(file: AudioFile) -> None:
        waveform = load_clip(file.path, clip_id=file.clip_id, sample_rate=48000, seconds=5.0)
        mel_statistics(waveform[None], 48000)

    def decode_all() -> None:
        with ThreadPoolExecutor(decoders) as pool:
            list(pool.map(decode, files))

    def extract() -> None:
        with ThreadPoolExecutor(decoders) as pool:
            assert len(embed_clips(files, backbone, pool).clip_ids) == CLIPS

    jobs = {
        "mgcl": extract,
        "the model alone": lambda: time.sleep(SECONDS_A_CLIP * CLIPS),
        "decoding alone": decode_all,
    }
    plural = "s" if decoders > 1 else ""
    timed(f"{CLIPS} clips through a model of 4 ms a clip, {decoders} decoder{plural}", which, jobs[which])


@pytest.mark.parametrize("which", ["mgcl", "files read alone", "one clip at a time"])
def test_extraction(timed, tmp_path_factory, which) -> None:
    backbone, clips = tiny.load(), 100
    root = tmp_path_factory.mktemp("data") / "soundscapes"
    chosen = soundscapes.generate(root, clips=4, workers=2).files[:clips]

    def extract(files) -> None:
        with ThreadPoolExecutor(1) as pool:
            embed_clips(files, backbone, pool)

    def read() -> None:
        for file in chosen:
            load_clip(file.path, clip_id=file.clip_id, sample_rate=backbone.sample_rate, seconds=backbone.seconds)

    jobs = {
        "mgcl": lambda: extract(chosen),
        "files read alone": read,
        "one clip at a time": lambda: [extract((file,)) for file in chosen],
    }
    timed(f"embedding {clips} clips of five seconds with the tiny backbone", which, jobs[which])
