"""Several channels made one, and whether they can be."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mgcl.audio import CHANNELS
from mgcl.errors import DataError

SILENT = 1e-4
"""Peak amplitude: 80 dB below full scale."""
_CANCELLED = 0.03
"""Share of the louder channel's level: if their average is below, 30 dB, the channels are in opposite phase."""

Samples = NDArray[np.float32]


def mixed(samples: Samples, how: str) -> Samples:
    """One channel of several.

    Args:
        samples: shape (samples, channels).
        how: one of ``CHANNELS``; of one channel it makes no difference.

    Returns:
        Shape (samples,).

    Raises:
        ValueError: ``how`` is none of them.
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
    """How loud channels are, and their average, added up over blocks."""

    channels: float | NDArray[np.float64] = 0.0
    """Sums of squares."""
    average: float = 0.0
    """Sum of squares of the channels' mean."""
    peak: float = 0.0

    def add(self, samples: Samples) -> None:
        """Add one more block, shape (samples, channels)."""
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
        """What is wrong with the average: channels in opposite phase leave silence there; None: nothing is."""
        if self.is_silent or self.average >= _CANCELLED**2 * np.max(self.channels):
            return None
        return (
            "its channels are in opposite phase and cancel where they are averaged; take one of them: "
            "`channels` left, right or louder"
        )


def cancelled(samples: Samples, name: str | Path) -> DataError | None:
    """What to say of channels that cancel where they are averaged; None: they do not.

    Args:
        samples: shape (samples, channels).
        name: of the file or array, for the message.
    """
    levels = Levels()
    levels.add(samples)
    return DataError(f"{name}: {levels.fault}") if levels.fault else None
