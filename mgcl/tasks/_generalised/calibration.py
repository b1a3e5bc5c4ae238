"""Recalls per class, and calibrated stacking: gamma is subtracted from base probabilities (Chao et al. 2016)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAMMAS = tuple(round(0.1 * step, 1) for step in range(11))
"""Tried values of gamma."""

Probabilities = NDArray[np.float64]
"""Softmax over all classes of a stage, shape (clips, classes); base classes come first."""


@dataclass(frozen=True)
class Recalls:
    """Mean recalls per class, in 0..1."""

    base: float
    """Of clips of base classes, among all classes."""
    novel: float
    """Of clips of novel classes, among all classes."""
    alone: float
    """Of clips of novel classes, among novel classes (FSL)."""

    @property
    def harmonic(self) -> float:
        """Harmonic mean of ``base`` and ``novel``; 0 if either is."""
        return float(harmonic_mean(np.array([self.base, self.novel])))


def harmonic_mean(recalls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonic mean over the last axis, which holds two recalls; 0 where both are 0.

    >>> float(harmonic_mean(np.array([0.2, 0.6])))
    0.3
    """
    total = recalls.sum(-1)
    product: NDArray[np.float64] = 2 * recalls.prod(-1)
    return np.round(np.divide(product, total, out=np.zeros_like(total), where=total > 0), 15)


def recalls(probabilities: Probabilities, labels: NDArray[np.intp], base: int, gamma: float) -> Recalls:
    """Recalls after calibration; a tie goes to the first class.

    Args:
        probabilities: of the tested clips.
        labels: true classes; every class has a clip.
        base: number of base classes.
        gamma: what is subtracted from each base class's probability.

    Raises:
        ValueError: a class has no clip.
    """
    classes = probabilities.shape[-1]
    tested = np.bincount(labels, minlength=classes)
    if not tested.all():
        raise ValueError(f"class {int(np.flatnonzero(tested == 0)[0])} has no clip to test")
    answers = (probabilities - gamma * (np.arange(classes) < base)).argmax(-1)
    alone = base + probabilities[:, base:].argmax(-1)
    together = np.bincount(labels, answers == labels, classes) / tested
    by_novel = np.bincount(labels, alone == labels, classes) / tested
    return Recalls(float(together[:base].mean()), float(together[base:].mean()), float(by_novel[base:].mean()))


def calibrated(probabilities: Probabilities, labels: NDArray[np.intp], base: int) -> tuple[float, Recalls]:
    """Find the gamma with the highest harmonic mean, the smallest of several; 0 is a value like the others."""
    found = [(gamma, recalls(probabilities, labels, base, gamma)) for gamma in GAMMAS]
    return max(found, key=lambda each: each[1].harmonic)
