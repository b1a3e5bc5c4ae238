"""Audio files as a backbone wants them: one channel, its sample rate, its length."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mgcl.data.seeding import generator
from mgcl.errors import DataError


def load_clip(path: Path, *, clip_id: str, sample_rate: int, seconds: float) -> NDArray[np.float32]:
    """Decode a file, mix its channels, resample, and tile or crop it to one length.

    Args:
        path: anything that libsndfile reads: wav, flac, ogg, mp3.
        clip_id: seeds the place of a crop, so that it is the same in every run.
        sample_rate: in Hz.
        seconds: of the result; a shorter clip is repeated.

    Returns:
        Shape (samples,), in -1..1 as the file has it.

    Raises:
        DataError: the file cannot be decoded, or holds no samples; names it.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"{path}: cannot be decoded ({error}); convert it to wav, or leave it out") from None
    if not len(samples):
        raise DataError(f"{path}: holds no samples; leave it out")
    if not np.isfinite(samples).all():
        raise DataError(f"{path}: a sample is NaN or infinite; leave it out")
    mono = samples.mean(1)
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate)
    return fit_length(mono, round(seconds * sample_rate), clip_id=clip_id)


def fit_length(samples: NDArray[np.float32], length: int, *, clip_id: str) -> NDArray[np.float32]:
    """Repeat what is too short; of what is too long, keep a stretch that depends on the clip's id alone."""
    if len(samples) < length:
        return np.resize(samples, length)
    start = int(generator("crop", clip_id).integers(len(samples) - length + 1))
    return samples[start : start + length]
