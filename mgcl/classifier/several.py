"""Several labels per clip: independent probabilities and thresholds of classes, learnt from the support set alone."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from mgcl.classifier.calibration import PRIOR_SPREAD
from mgcl.classifier.detection import best_thresholds
from mgcl.errors import MgclWarning
from mgcl.metrics.counts import f1
from mgcl.metrics.ranking import average_precision, mean_over_classes

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
UNLEARNT = 0.5
"""Threshold of a class without clips to learn it from."""
_OFFSETS_SPREAD = 1.0
"""Standard deviation of the classes' offsets about their mean, in units of the probabilities' logits."""
_PRIOR_CLIPS = 10
"""Number of a class's clips from which its threshold is as much its own as it is ``UNLEARNT``."""
_STEEPEST = np.log(1e3)


@dataclass(frozen=True)
class Several:
    """What turns a class's logit s into its probability σ((s - offset) / τ), and what probability names it."""

    offsets: tuple[float, ...]
    """One per class, in the unit of the logits."""
    thresholds: tuple[float, ...]
    """Probability from which a class is named, in 0..1; one per class."""
    precision: float | None = None
    """Mean average precision on the support clips, each scored by a fit without it; None: none could be left out."""
    f1: float | None = None
    """Micro-averaged F1 on the same, at thresholds that were learnt from them, so it is optimistic; None: likewise."""

    def probabilities(self, logits: NDArray[np.floating], temperature: float) -> Floats:  # type: ignore[type-arg]
        """Probability of each class by itself, shape (clips, classes)."""
        shares: Floats = expit((logits.astype(np.float64) - np.array(self.offsets)) / temperature)
        return shares


def learnt(logits: Floats, truth: Flags, *, prior: float) -> tuple[float, Several]:
    """Temperature, offsets and thresholds from the logits of clips that were left out.

    Platt scaling (1999) of all classes with one temperature τ, since a few clips do not tell how steep a class is. As
    in ``calibration.best_temperature`` τ has a log-normal prior, which keeps probabilities off 0 and 1 where all clips
    are told apart; the offsets have a normal prior about their mean. His smoothed targets made the probabilities of
    few clips too unsure (reports/LOG.md). For thresholds see ``thresholds_of``.

    Args:
        logits: shape (clips, classes), of clips that the fits have not seen; NaN: the class could not be fitted.
        truth: whether a clip is of a class, shape (clips, classes).
        prior: the prior's median of τ, > 0, which is τ if no clip could be left out.

    Returns:
        τ > 0, and what else was learnt.
    """
    usable = ~np.isnan(logits) & (truth & ~np.isnan(logits)).any(0)
    if not usable.any():
        warnings.warn(
            "no class has two clips: how sure to be, and from which probability to name a class, cannot be learnt from "
            "them; every threshold is 0.5",
            MgclWarning,
            stacklevel=3,
        )
        way = truth.shape[1]
        return prior, Several((0.0,) * way, (UNLEARNT,) * way)
    if lone := int((~usable.any(0)).sum()):
        warnings.warn(
            f"{lone} classes have too few clips to learn thresholds from: theirs are {UNLEARNT:g}; add clips",
            MgclWarning,
            stacklevel=3,
        )
    steepness, offsets = _scaled(logits / prior, truth, usable)
    found = Several(tuple((prior * offsets / steepness).tolist()), ())
    shares = found.probabilities(logits, prior / steepness)
    thresholds = thresholds_of(shares, truth)
    named = shares >= thresholds
    columns = usable.any(0)
    scored = usable[:, columns].all(1)
    hits, false, missed = ((each & usable).sum() for each in (named & truth, named & ~truth, ~named & truth))
    ranked = average_precision(shares[scored][:, columns], truth[scored][:, columns])
    return prior / steepness, Several(
        found.offsets, tuple(thresholds.tolist()), float(mean_over_classes(ranked)[0]), float(f1(hits, false, missed))
    )


def thresholds_of(probabilities: Floats, truth: Flags) -> Floats:
    """Thresholds of the classes, shape (classes,); ``UNLEARNT`` where a class has no scored clip.

    It is the threshold of greatest F1, drawn towards ``UNLEARNT``, since that of few clips is a matter of chance: their
    mean, in which ``UNLEARNT`` counts as ``_PRIOR_CLIPS`` clips.

    Args:
        probabilities: of clips that the model was not fitted on, shape (clips, classes); NaN: not scored.
        truth: whether a clip is of a class, shape (clips, classes).
    """
    found = np.full(truth.shape[1], UNLEARNT)
    for row in range(truth.shape[1]):
        there = ~np.isnan(probabilities[:, row])
        if count := int(truth[there, row].sum()):
            (best,) = best_thresholds(probabilities[there, row, None], truth[there, row, None])
            found[row] = (count * best + _PRIOR_CLIPS * UNLEARNT) / (count + _PRIOR_CLIPS)
    return found


def _scaled(scores: Floats, truth: Flags, usable: Flags) -> tuple[float, Floats]:
    """Steepness a > 0 of all classes, and offset b of each, of probabilities σ(a s - b)."""
    scores = np.where(usable, scores, 0.0)

    def loss(flat: Floats) -> tuple[float, Floats]:
        steepness, offsets = np.exp(flat[0]), flat[1:]
        z = steepness * scores - offsets
        apart = offsets - offsets.mean()
        missed = np.where(usable, expit(z) - truth, 0.0)
        value = np.where(usable, np.logaddexp(0, z) - truth * z, 0.0).sum()
        value += (flat[0] / PRIOR_SPREAD) ** 2 / 2 + ((apart / _OFFSETS_SPREAD) ** 2).sum() / 2
        steeper = (missed * scores).sum() * steepness + flat[0] / PRIOR_SPREAD**2
        return float(value), np.append(steeper, apart / _OFFSETS_SPREAD**2 - missed.sum(0))

    bounds = [(-_STEEPEST, _STEEPEST), *[(None, None)] * truth.shape[1]]
    solved = minimize(loss, np.zeros(1 + truth.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(solved[0])), solved[1:]
