"""Samples as a wav file, for players on pages."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray


def as_wav(waveform: NDArray[np.float32], sample_rate: int) -> bytes:
    """Encode samples as a wav file of 16 bits per sample; what is louder than full scale is scaled down.

    Args:
        waveform: samples of one channel, shape (samples,), full scale 1; at least one.
        sample_rate: sample rate, in Hz.
    """
    file, most = io.BytesIO(), max(1.0, float(np.abs(waveform).max()))
    soundfile.write(file, waveform / most, sample_rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
