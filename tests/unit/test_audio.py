"""Audio files become one channel of one length at one rate."""

import tracemalloc

import numpy as np
import pytest
import soundfile

from mgcl.audio.excerpt import duration, fit_length, load_clip
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
    soundfile.write(tmp_path / "one.wav", np.array([0.5]), 44100)
    soundfile.write(tmp_path / "whole.mp3", sine(440, 8000, 4.0), 8000)
    (tmp_path / "half.mp3").write_bytes((tmp_path / "whole.mp3").read_bytes()[:2000])
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    for name, reason in (
        ("text.wav", r"text\.wav: cannot be decoded"),
        ("gone.wav", r"gone\.wav: no such file"),
        ("empty.wav", r"empty\.wav: holds no samples"),
        ("one.wav", r"one\.wav: holds no samples, or too few to resample"),
        ("half.mp3", r"half\.mp3: is cut short"),
        ("nan.wav", r"nan\.wav: a sample is NaN"),
    ):
        with pytest.raises(DataError, match=reason):
            load(tmp_path / name)


@pytest.mark.parametrize(
    ("rate", "channels", "seconds"),
    [(8000, 1, 0.3), (48000, 8, 0.3), (8000, 8, 30.0), (44100, 1, 30.0), (96000, 2, 5.0)],
)
def test_every_length_rate_and_number_of_channels_becomes_one(tmp_path, rate, channels, seconds) -> None:
    tone = np.tile(sine(440, rate, seconds)[:, None], channels)
    soundfile.write(tmp_path / "tone.wav", tone, rate)
    samples = load(tmp_path / "tone.wav", sample_rate=16000, seconds=5.0)
    assert samples.shape == (80000,)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() == pytest.approx(440 * 5, abs=1)


def test_silence_stays_silent(tmp_path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), 44100)
    assert not load(tmp_path / "silent.wav").any()


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_the_stretch_of_a_long_file_depends_on_the_clips_id_alone(tmp_path, ending) -> None:
    path = tmp_path / f"rising.{ending}"
    seconds = np.arange(16000 * 20) / 16000
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 100 * seconds**2), 16000)
    clips = {clip_id: load(path, clip_id=clip_id, sample_rate=16000) for clip_id in "abcdefgh"}
    assert all(np.array_equal(clips[clip_id], load(path, clip_id=clip_id, sample_rate=16000)) for clip_id in clips)
    pitches = [np.abs(np.fft.rfft(samples)).argmax() for samples in clips.values()]
    assert len({samples.tobytes() for samples in clips.values()}) == len(clips)
    assert min(pitches) < 1500 < 2500 < max(pitches)


def test_up_to_twice_the_window_a_file_is_resampled_whole(tmp_path) -> None:
    """What was embedded before long files were sought in stays the same to the bit."""
    tone = sine(440, 8000, 2.0).astype(np.float32)
    soundfile.write(tmp_path / "two.wav", tone, 8000, subtype="FLOAT")
    assert np.array_equal(load(tmp_path / "two.wav"), fit_length(tone, 8000, clip_id="clip"))


def test_a_long_recording_takes_no_more_memory_than_its_window(tmp_path) -> None:
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8000, 8) as file:
        for _ in range(12):
            file.write(np.zeros((8000 * 60, 8), np.int16))
    tracemalloc.start()
    samples = load(tmp_path / "long.flac", seconds=5.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples.shape == (40000,)
    assert peak < 20e6


def test_a_files_duration_is_its_headers(tmp_path) -> None:
    soundfile.write(tmp_path / "tone.ogg", sine(440, 44100, 1.5), 44100)
    assert duration(tmp_path / "tone.ogg") == pytest.approx(1.5)
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(DataError, match=r"text\.wav: cannot be decoded"):
        duration(tmp_path / "text.wav")


def test_a_file_that_is_cut_short_is_no_short_clip(tmp_path) -> None:
    for ending in ("wav", "ogg"):
        path = tmp_path / f"half.{ending}"
        soundfile.write(path, sine(440, 8000, 4.0), 8000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(DataError, match=rf"half\.{ending}: is cut short"):
            load(path)


def test_a_stream_of_unknown_length_is_read(tmp_path) -> None:
    path = tmp_path / "piped.wav"
    soundfile.write(path, sine(440, 8000, 1.0), 8000)
    content = bytearray(path.read_bytes())
    for place in (4, 40):  # the sizes of the file and of its data, as a recorder that writes to a pipe leaves them
        content[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert np.abs(load(path)).max() > 0.4
