"""Audio files become one channel of one length at one rate."""

import numpy as np
import pytest
import soundfile

from mgcl.data.audio import fit_length, load_clip
from mgcl.errors import DataError


def load(path, *, clip_id="clip", sample_rate=8000, seconds=1.0):
    return load_clip(path, clip_id=clip_id, sample_rate=sample_rate, seconds=seconds)


def sine(hertz: float, rate: int, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_every_format_is_read_resampled_and_mixed(tmp_path, ending) -> None:
    left = sine(440, 44100, 1.0)
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, np.stack([left, np.zeros_like(left)], axis=1), 44100)
    samples = load(path)
    assert samples.dtype == np.float32
    assert samples.shape == (8000,)
    spectrum = np.abs(np.fft.rfft(samples[:7000]))
    assert spectrum.argmax() == pytest.approx(440 * 7000 / 8000, abs=1)
    assert np.abs(samples[1000:7000]).max() == pytest.approx(0.25, rel=0.15)


def test_a_short_clip_is_repeated(tmp_path) -> None:
    soundfile.write(tmp_path / "short.wav", np.array([0.25, -0.25, 0.5]), 8000, subtype="FLOAT")
    assert load(tmp_path / "short.wav", seconds=1 / 1000).tolist() == [0.25, -0.25, 0.5, 0.25, -0.25, 0.5, 0.25, -0.25]


def test_a_long_clip_is_cropped_by_its_id_alone() -> None:
    long = np.arange(10000, dtype=np.float32)
    one, same, other = (fit_length(long, 100, clip_id=clip_id) for clip_id in ("a", "a", "b"))
    assert np.array_equal(one, same)
    assert one[0] != other[0]
    assert np.array_equal(np.diff(one), np.ones(99))


def test_what_cannot_be_heard_is_named(tmp_path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    for name, reason in (
        ("text.wav", r"text\.wav: cannot be decoded"),
        ("gone.wav", r"gone\.wav: cannot be decoded"),
        ("empty.wav", r"empty\.wav: holds no samples"),
        ("nan.wav", r"nan\.wav: a sample is NaN"),
    ):
        with pytest.raises(DataError, match=reason):
            load(tmp_path / name)
