"""Calibration: the temperature of the probabilities and the rejection threshold, learnt from the support set alone."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import roc_curve
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from mgcl.classifier.embedding import in_rows
from mgcl.classifier.learner import Learner
from mgcl.errors import ClassifierError, MgclWarning
from mgcl.methods.method import Support

FOLDS = 5
"""Number of folds of the cross-fitting; fewer if a class has fewer clips."""
PRIOR_TEMPERATURE = 0.3
"""τ divided by the ``spread`` of the support clips' scores, measured on development classes.

Scores of different methods have different units. It was measured by tests/benchmarks/temperature.py.
"""
PRIOR_SPREAD = 0.5
"""Standard deviation of log τ under the prior."""
LEAST_CLASSES = 3
"""Number of classes of which one can be left out."""
Familiarity = NDArray[np.float64]
_ROUNDING = 1e-9
_RANGE = np.log([1e-3, 1e3])  # of τ over the prior


def temperature(support: Support, learner: Learner, fitted: Any, *, seed: int) -> float:
    """Temperature τ of softmax(logits / τ), by stratified cross-fitting.

    Each clip is scored by adapters that were fitted without it. If a class has too few clips to leave one out, τ is
    ``PRIOR_TEMPERATURE`` times the ``spread`` of the support clips' scores, with a warning. If a method's scores are
    multiplied by a number, so is τ.

    Args:
        support: one episode, not a stack.
        learner: the method.
        fitted: result of ``learner.fit`` on the support set.
        seed: seed of the folds.

    Returns:
        τ > 0.
    """
    least = 1 + learner.least_shots
    prior = PRIOR_TEMPERATURE * spread(learner.predict(fitted, support.clips).logits)
    if min(support.counts) < least:
        warnings.warn(
            f"a class has fewer than {least} clips: how sure to be cannot be learnt from them. Probabilities are "
            f"softmax(logits / {prior:.3g}), which was measured on other sounds; the answers do not depend on it",
            MgclWarning,
            stacklevel=2,
        )
        return prior
    return best_temperature(cross_fitted(support, learner, seed=seed), support.labels, prior=prior)


def spread(scores: Float[Tensor, "b way"]) -> float:
    """Root mean square of the scores about each clip's mean: the unit of the scores, > 0; 1 if they do not vary."""
    found = float((scores - scores.mean(1, keepdim=True)).double().square().mean().sqrt())
    return found or 1.0


def best_temperature(logits: Float[Tensor, "b way"], labels: Tensor, *, prior: float) -> float:
    """Temperature τ of least log-loss (Guo et al. 2017) under a log-normal prior.

    The prior keeps τ above 0 where every clip is answered rightly.

    Args:
        logits: logits of clips that were not trained on, shape (b, way).
        labels: class indices of the clips, shape (b,).
        prior: the prior's median of τ, > 0.
    """
    scores, rows = logits.double().numpy(), labels.numpy()

    def loss(log: float) -> float:
        likely = log_softmax(scores / np.exp(log), axis=1)[np.arange(len(rows)), rows]
        return float(((log - np.log(prior)) / PRIOR_SPREAD) ** 2 / 2 - likely.sum())

    return float(np.exp(minimize_scalar(loss, bounds=np.log(prior) + _RANGE, method="bounded").x))


def cross_fitted(support: Support, learner: Learner, *, seed: int) -> Float[Tensor, "b way"]:
    """Logits of every support clip, from adapters and a cache fitted without it; shape (b, way)."""
    parts = StratifiedKFold(min(FOLDS, *support.counts), shuffle=True, random_state=seed)
    logits = torch.empty(len(support.labels), len(support.counts))
    for seen, unseen in parts.split(np.zeros(len(support.labels)), support.labels.numpy()):
        fitted = learner.fit(_kept(support, torch.from_numpy(seen)))
        logits[unseen] = learner.predict(fitted, in_rows(support.clips, torch.from_numpy(unseen))).logits
    return logits


@dataclass(frozen=True)
class TurnedAway:
    """The rejection threshold, with the shares of left-out clips that it rejects."""

    below: float
    """Familiarity below which a clip is rejected as none of the classes."""
    known: float
    """Share of known clips that is rejected, in 0..1; each clip is scored by adapters fitted without it."""
    foreign: float
    """Share of foreign clips that is rejected, in 0..1; each class is scored by a fit without that class."""


def threshold(
    support: Support, learner: Learner, background: Familiarity, *, most_known: float, seed: int
) -> tuple[TurnedAway, NDArray[np.bool_]]:
    """Rejection threshold: the least familiarity at which a clip counts as one of the classes.

    Two groups of clips are compared: foreign ones, which are support clips whose whole class was left out of the fit
    and clips of the background, and known ones, which were cross-fitted. The threshold maximises the share of foreign
    clips that are rejected plus the share of known clips that are not (Youden 1950). Only thresholds that reject at
    most ``most_known`` of the known clips are considered.

    Args:
        support: one episode, not a stack.
        learner: the method.
        background: familiarity of clips of none of the classes, which no fit has seen; shape (clips,), or (0,).
        most_known: greatest share of known clips that may be rejected, in 0..1.
        seed: seed of the folds.

    Returns:
        The threshold, and whether each clip of the background is above a threshold that was learnt without it.

    Raises:
        ClassifierError: there are fewer than 3 classes, or 2 with a background, or a class has too few clips.
    """
    check_enough(support.counts, learner, background=len(background) > 0)
    inside = familiarity(cross_fitted(support, learner, seed=seed))
    outside = background
    if len(support.counts) >= LEAST_CLASSES:
        outside = np.concatenate([background, familiarity_of_outsiders(support, learner)])
    without = [np.delete(outside, row) for row in range(len(background))]
    named = [
        each >= _best(inside, others, most_known).below if len(others) else True
        for each, others in zip(background, without, strict=True)
    ]
    return _best(inside, outside, most_known), np.array(named, bool)


def _best(inside: Familiarity, outside: Familiarity, most_known: float) -> TurnedAway:
    true = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    false_rate, true_rate, at = roc_curve(true, np.concatenate([inside, outside]), drop_intermediate=False)
    allowed = 1 - true_rate <= most_known + _ROUNDING
    best = int(np.where(allowed, true_rate - false_rate, -np.inf)[1:].argmax()) + 1  # the first rejects every clip
    return TurnedAway(float(at[best]), known=float(1 - true_rate[best]), foreign=float(1 - false_rate[best]))


def check_enough(counts: Sequence[int], learner: Learner, *, background: bool) -> None:
    """Check that a rejection threshold can be learnt from these numbers of clips per class.

    Raises:
        ClassifierError: there are fewer than 3 classes, or 2 with a background, or a class has too few clips.
    """
    least, classes = 1 + learner.least_shots, 2 if background else LEAST_CLASSES
    if len(counts) < classes or min(counts) < least:
        raise ClassifierError(
            f'"none of these" is learnt by leaving classes and clips out: it needs {classes} classes of {least} clips '
            f"each, and was given {list(counts)} clips per class"
        )


def familiarity(logits: Float[Tensor, "b way"]) -> Familiarity:
    """Familiarity of each clip: its greatest logit; shape (b,)."""
    return logits.double().amax(1).numpy()


def familiarity_of_outsiders(support: Support, learner: Learner) -> Familiarity:
    """Familiarity of every support clip under a fit without its class; shape (b,), ordered by class."""
    found = []
    for out in range(len(support.counts)):
        others = support.labels != out
        fitted = learner.fit(_without_class(support, out))
        found.append(familiarity(learner.predict(fitted, in_rows(support.clips, ~others)).logits))
    return np.concatenate(found)


def _kept(support: Support, rows: Tensor) -> Support:
    return replace(support, clips=in_rows(support.clips, rows), labels=support.labels[rows])


def _without_class(support: Support, out: int) -> Support:
    rows = (support.labels != out).nonzero().flatten()
    classes = [each for each in range(len(support.counts)) if each != out]
    labels = support.labels[rows]
    return replace(
        support,
        clips=in_rows(support.clips, rows),
        labels=labels - (labels > out).to(labels),
        prompts=support.prompts[classes],
        explanations=support.explanations[classes],
    )
