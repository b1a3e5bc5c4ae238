"""Mixing of several channels to one, with a check for channels that cancel each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mgcl.audio import CHANNELS
from mgcl.errors import DataError

SILENT = 1e-4
"""Peak amplitude below which sound counts as silent: 80 dB below full scale."""
_CANCELLED = 0.03
"""Share of the louder channel's level, 30 dB below it. If the average is below, the channels are in opposite phase."""

Samples = NDArray[np.float32]


def mixed(samples: Samples, how: str) -> Samples:
    """Mix several channels to one.

    Args:
        samples: shape (samples, channels).
        how: one of ``CHANNELS``; without effect on a single channel.

    Returns:
        Shape (samples,).

    Raises:
        ValueError: ``how`` is none of ``CHANNELS``.
    """
    if how not in CHANNELS:
        raise ValueError(f"channels is {how!r}; it is one of {', '.join(CHANNELS)}")
    if how == "average" or samples.shape[1] == 1:
        average: Samples = samples.mean(1)
        return average
    rows = {"left": 0, "right": 1, "louder": int(np.square(samples, dtype=np.float64).sum(0).argmax())}
    return np.ascontiguousarray(samples[:, rows[how]])


@dataclass
class Levels:
    """Levels of the channels and of their average, accumulated block by block."""

    channels: float | NDArray[np.float64] = 0.0
    """Sum of squares of each channel, shape (channels,)."""
    average: float = 0.0
    """Sum of squares of the channels' average."""
    peak: float = 0.0
    """Greatest amplitude of any channel."""

    def add(self, samples: Samples) -> None:
        """Accumulate one block, shape (samples, channels)."""
        if len(samples):
            self.channels = self.channels + np.square(samples, dtype=np.float64).sum(0)
            self.average += float(np.square(samples.mean(1), dtype=np.float64).sum())
            self.peak = max(self.peak, float(np.abs(samples).max()))

    @property
    def is_silent(self) -> bool:
        """Whether all channels are silent."""
        return self.peak < SILENT

    @property
    def fault(self) -> str | None:
        """Fault of the average if the channels are in opposite phase and cancel each other; None: no fault."""
        if self.is_silent or self.average >= _CANCELLED**2 * np.max(self.channels):
            return None
        return (
            "its channels are in opposite phase and cancel where they are averaged; take one of them: "
            "`channels` left, right or louder"
        )


def cancelled(samples: Samples, name: str | Path) -> DataError | None:
    """The error for channels that cancel each other in their average.

    Args:
        samples: shape (samples, channels).
        name: name of the file or the array, for the message.

    Returns:
        The error, not raised; None if the channels do not cancel.
    """
    levels = Levels()
    levels.add(samples)
    return DataError(f"{name}: {levels.fault}") if levels.fault else None
