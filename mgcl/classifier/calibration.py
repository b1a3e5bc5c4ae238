"""From logits to probabilities that mean something, and to "none of these": learnt from the support alone."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
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
"""Parts of the support that are left out in turn, where every class has as many clips."""
PRIOR_TEMPERATURE = 0.1
"""τ over the logit scale, of development classes of the soundscapes (tests/benchmarks/temperature.py)."""
PRIOR_SPREAD = 0.5
"""Standard deviation of log τ around that."""
_ROUNDING = 1e-9
_RANGE = np.log([1e-3, 1e3])


def temperature(support: Support, learner: Learner, *, seed: int) -> float:
    """τ of softmax(logits / τ), by stratified cross-fitting: each clip is scored by adapters fitted without it.

    Args:
        support: one episode, not a stack.
        learner: the method.
        seed: of the parts.

    Returns:
        τ > 0; the package's alone, with a warning, where a class has too few clips to leave one out.
    """
    prior, least = PRIOR_TEMPERATURE * support.logit_scale, 1 + learner.least_shots
    if min(support.counts) < least:
        warnings.warn(
            f"a class has fewer than {least} clips: how sure to be cannot be learnt from them. Probabilities are "
            f"softmax(logits / {prior:.3g}), which was measured on other sounds; the answers do not depend on it",
            MgclWarning,
            stacklevel=2,
        )
        return prior
    return best_temperature(cross_fitted(support, learner, seed=seed), support.labels, prior=prior)


def best_temperature(logits: Float[Tensor, "b way"], labels: Tensor, *, prior: float) -> float:
    """τ of least log-loss (Guo et al. 2017) under a log-normal prior: so it stays above 0 where all clips are right.

    Args:
        logits: of clips that were not trained on.
        labels: their class indices.
        prior: the median of τ before any clip is known.
    """
    scores, rows = logits.double().numpy(), labels.numpy()

    def loss(log: float) -> float:
        likely = log_softmax(scores / np.exp(log), axis=1)[np.arange(len(rows)), rows]
        return float(((log - np.log(prior)) / PRIOR_SPREAD) ** 2 / 2 - likely.sum())

    return float(np.exp(minimize_scalar(loss, bounds=_RANGE, method="bounded").x))


def cross_fitted(support: Support, learner: Learner, *, seed: int) -> Float[Tensor, "b way"]:
    """Logits of every support clip, by adapters and a cache that have not seen it."""
    parts = StratifiedKFold(min(FOLDS, *support.counts), shuffle=True, random_state=seed)
    logits = torch.empty(len(support.labels), len(support.counts))
    for seen, unseen in parts.split(np.zeros(len(support.labels)), support.labels.numpy()):
        fitted = learner.fit(_kept(support, torch.from_numpy(seen)))
        logits[unseen] = learner.predict(fitted, in_rows(support.clips, torch.from_numpy(unseen))).logits
    return logits


@dataclass(frozen=True)
class TurnedAway:
    """The threshold that turns clips away, and which share of the support it would, had they been left out."""

    below: float
    """Familiarity below which a clip is none of the classes."""
    known: float
    """Share of clips of the classes, each scored by adapters fitted without it; in 0..1."""
    foreign: float
    """Share of clips of a class, scored by a fit without that class; in 0..1."""


def threshold(support: Support, learner: Learner, *, most_known: float, seed: int) -> TurnedAway:
    """The least familiarity at which a clip is one of the classes, by leaving whole classes out.

    Clips of a class that was left out against clips that were cross-fitted: where the share of the former that are
    rejected and of the latter that are not have the greatest sum (Youden 1950), among those thresholds that reject
    no more of the latter than they may.

    Args:
        support: one episode, not a stack.
        learner: the method.
        most_known: greatest share of known clips that may be rejected, in 0..1.
        seed: of the parts.

    Raises:
        ClassifierError: fewer than 3 classes, or a class of too few clips.
    """
    check_enough(support.counts, learner)
    inside = familiarity(cross_fitted(support, learner, seed=seed))
    outside = familiarity_of_outsiders(support, learner)
    true = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    false_rate, true_rate, at = roc_curve(true, np.concatenate([inside, outside]), drop_intermediate=False)
    allowed = 1 - true_rate <= most_known + _ROUNDING
    best = int(np.where(allowed, true_rate - false_rate, -np.inf)[1:].argmax()) + 1  # the first turns every clip away
    return TurnedAway(float(at[best]), known=float(1 - true_rate[best]), foreign=float(1 - false_rate[best]))


def check_enough(counts: Sequence[int], learner: Learner) -> None:
    """See whether a threshold can be learnt from so many clips per class.

    Raises:
        ClassifierError: fewer than 3 classes, or a class of too few clips.
    """
    least = 1 + learner.least_shots
    if len(counts) < 3 or min(counts) < least:
        raise ClassifierError(
            f'"none of these" is learnt by leaving classes and clips out: it needs 3 classes of {least} clips each, '
            f"and was given {list(counts)} clips per class"
        )


def familiarity(logits: Float[Tensor, "b way"]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How much a clip is like any of the classes: its greatest logit."""
    return logits.double().amax(1).numpy()


def familiarity_of_outsiders(support: Support, learner: Learner) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Familiarity of each class's clips with the other classes, fitted without it."""
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
