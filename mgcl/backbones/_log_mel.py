"""The tiny model's front end: log-mel spectrograms relative to the clip's loudest point, whatever the clip's level."""

import functools

import librosa
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgcl.backbones.backbone import WINDOW

SAMPLE_RATE = 16000
SECONDS = WINDOW
MELS = 64
STEPS = 256
_WINDOW, _HOP = 512, 313  # 80,000 samples are 256 steps
_FLOOR = -80.0


def log_mel(waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b time mels"]:
    """Log-mel spectrogram in dB relative to the clip's loudest point; 0 to -80 dB is scaled to 2 to -2.

    Args:
        waveforms: five seconds at 16 kHz, at any level. Digital silence becomes -2 everywhere.
    """
    spectrum = torch.stft(
        waveforms, _WINDOW, _HOP, window=torch.hann_window(_WINDOW), return_complex=True, pad_mode="constant"
    )
    power = _filters() @ spectrum.abs().square()
    loudest = power.amax((1, 2), keepdim=True).clamp_min(1e-10)
    decibels = 10 * (power / loudest).clamp_min(10 ** (_FLOOR / 10)).log10()
    return (decibels.transpose(1, 2) - _FLOOR / 2) / 20


@functools.cache
def _filters() -> Tensor:
    filters: NDArray[np.float32] = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_WINDOW, n_mels=MELS, fmin=40)
    return torch.from_numpy(filters)
