"""EfficientAT's front end: log-mel spectrograms of pre-emphasised audio, in Kaldi's mel bands."""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

SAMPLE_RATE = 32000
HOP = 320
_N_FFT, _WINDOW, _MELS, _HIGHEST = 1024, 800, 128, 15000.0
_EMPHASIS = 0.97


def log_mel(waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b mels time"]:
    """Log-mel spectrogram (ln(mel power + 1e-5) + 4.5) / 5, one frame per 10 ms. Silence becomes -1.4.

    Args:
        waveforms: audio at 32 kHz, on any device, longer than 512 samples.
    """
    emphasised = waveforms[:, 1:] - _EMPHASIS * waveforms[:, :-1]
    window = torch.hann_window(_WINDOW, periodic=False, device=waveforms.device)
    spectrum = torch.stft(emphasised, _N_FFT, HOP, _WINDOW, window, return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    return ((_bands().to(waveforms.device) @ power + 1e-5).log() + 4.5) / 5


@functools.cache
def _bands() -> Float[Tensor, "mels bins"]:
    """Mel filters: triangles in mel = 1127 ln(1 + Hz / 700), from 0 to 15,000 Hz. No filter has the Nyquist bin."""
    bins = torch.arange(_N_FFT // 2, dtype=torch.float64) * SAMPLE_RATE / _N_FFT
    edges = torch.linspace(0, float(_mel(torch.tensor(_HIGHEST))), _MELS + 2, dtype=torch.float64)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (_mel(bins) - left) / (centre - left), (right - _mel(bins)) / (right - centre)
    return torch.nn.functional.pad(torch.minimum(rising, falling).clamp_min(0), (0, 1)).float()


def _mel(hertz: Tensor) -> Tensor:
    return 1127 * (1 + hertz.double() / 700).log()
