"""Waveforms of other lengths than a model's input: looped to it, with the time steps that they reach."""

from jaxtyping import Float
from torch import Tensor

from mgcl.backbones.backbone import Facts


def repeated(waveforms: Float[Tensor, "b samples"], length: int) -> Float[Tensor, "b length"]:
    """Loop clips from their start until they fill ``length`` samples."""
    return waveforms.repeat(1, -(-length // waveforms.shape[1]))[:, :length]


def steps_in(samples: int, about: Facts) -> int:
    """Number of a backbone's time steps in a waveform: ``segments`` in its window, more in a longer waveform."""
    return max(about.segments, int(samples / about.sample_rate / about.segment_seconds + 1e-6))
