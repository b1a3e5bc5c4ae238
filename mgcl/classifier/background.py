"""Background: clips of none of the classes, and how a model answers those that it was not fitted on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Background:
    """Answers to clips of none of the classes."""

    clips: int
    """Number of clips."""
    named: float
    """Share of them that are given a class, in 0..1."""
    probability: float
    """Mean over the clips of the most probable class's probability, in 0..1, whether it is named or not."""
    highest: float
    """The highest of these probabilities."""

    def __str__(self) -> str:
        many = round(self.named * self.clips)
        return (
            f"{many} of {self.clips} ({100 * self.named:.0f} %) are named as a class; the most probable class has "
            f"probability {self.probability:.2f} on average, and {self.highest:.2f} at most"
        )


def background(named: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> Background:
    """Summarise answers.

    Args:
        named: whether each clip is given a class, shape (clips,), of at least one clip.
        probabilities: shape (clips, classes); NaN, where a class could not be scored, counts as 0.
    """
    most = np.nan_to_num(probabilities).max(1)
    return Background(len(named), float(named.mean()), float(most.mean()), float(most.max()))
