"""Average spectrum and loudness of clips: features for a classifier without a backbone, the control of all others."""

import librosa
import numpy as np
from numpy.typing import NDArray

_MELS = 64


def mel_statistics(waveforms: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Mean log-mel spectrum and loudness of clips, in dB.

    Args:
        waveforms: waveforms of shape (b, samples), in -1..1.
        sample_rate: sample rate in Hz.

    Returns:
        Array of shape (b, 65): 64 mel bands averaged over time, then the root mean square; both at least -100.
    """
    power = librosa.feature.melspectrogram(y=waveforms, sr=sample_rate, n_fft=1024, hop_length=512, n_mels=_MELS)
    spectrum = librosa.power_to_db(power, amin=1e-10, top_db=None).mean(-1)
    loudness = librosa.power_to_db(np.square(waveforms).mean(-1, keepdims=True), amin=1e-10, top_db=None)
    statistics: NDArray[np.float32] = np.concatenate([spectrum, loudness], axis=-1).astype(np.float32)
    return statistics
