"""Scores of answers and of their probabilities, against the true labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import log_loss, roc_auc_score

from mgcl.classifier.answers import Answer
from mgcl.errors import ClassifierError
from mgcl.records import Value

_BINS = 15
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Probabilities of the table of thresholds."""


@dataclass(frozen=True)
class Scores:
    """Quality of the probabilities, on clips that belong to one of the classes."""

    log_loss: float
    """Mean log-loss in nats, at least 0."""
    brier: float
    """Brier score: squared errors summed over classes, averaged over clips; in 0..2 (Brier 1950)."""
    calibration_error: float
    """Expected calibration error over 15 bins of equal width, in 0..1 (Guo et al. 2017)."""
    auroc: float | None
    """Area under the ROC curve, averaged over every class against the rest; in 0..1; None: a class has no clip."""


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class."""

    clips: int
    """Number of clips of the class."""
    recall: float | None
    """Share of the class's clips that were answered rightly, in 0..1; None: the class has no clip."""
    precision: float | None
    """Share of the answers with the class's name that were right, in 0..1; None: no answer has its name."""


@dataclass(frozen=True)
class TurnedAway:
    """Shares of clips that were rejected."""

    known: float | None
    """Of the clips of the classes, in 0..1; None: there are none."""
    foreign: float | None
    """Of the clips of other classes, in 0..1; None: there are none."""


@dataclass(frozen=True)
class AtThreshold:
    """Clips whose answer has at least a probability; rejected clips have none."""

    probability: float
    """Least probability, in 0..1."""
    answered: float
    """Share of all clips that have such an answer, in 0..1."""
    right: float | None
    """Share of these answers that are right, in 0..1; None: there are none."""


@dataclass(frozen=True)
class Wrong:
    """A clip that was answered wrongly."""

    clip: str
    true: str
    answered: str
    probability: float
    """Probability of the most probable class, in 0..1."""


@dataclass(frozen=True)
class Verdict:
    """Comparison of answers with the true labels."""

    clips: int
    """Number of clips."""
    accuracy: float
    """Share of the clips that were answered rightly, in 0..1."""
    interval: tuple[float, float]
    """Wilson interval of the accuracy, of 95 %: lower and upper bound."""
    probabilities: Scores | None
    """Quality of the probabilities; None: no clip belongs to one of the classes."""
    confusion: Mapping[str, Mapping[str, int]]
    """True label -> answer -> number of clips."""
    classes: Mapping[str, ClassScores]
    """Class -> scores; the reject label, where there is one, counts as a class."""
    wrong: Sequence[Wrong]
    turned_away: TurnedAway | None
    """Shares of clips that were rejected; None: the classifier has no reject label."""
    thresholds: Sequence[AtThreshold]
    """What answers of at least a probability are worth, for each of ``THRESHOLDS``."""


def judge(true: Sequence[str], answers: Sequence[Answer], reject_label: Value) -> Verdict:
    """Compare answers with the true labels. On clips of foreign classes the reject label is right.

    Args:
        true: true labels, one per clip.
        answers: answers, one per clip.
        reject_label: reject label of the classifier; None: it has none.

    Raises:
        ClassifierError: a true label is no class of a classifier without a reject label.
    """
    classes = [str(label) for label in answers[0].probabilities]
    if reject_label is None and (strangers := sorted(set(true) - set(classes))):
        raise ClassifierError(
            f"clips of {', '.join(strangers)}, and the classifier knows {', '.join(classes)}: leave them out, add the "
            "class, or fit with `reject_label`"
        )
    expected = [label if label in classes else str(reject_label) for label in true]
    pairs = [(want, str(answer.label)) for want, answer in zip(expected, answers, strict=True)]
    right = sum(want == got for want, got in pairs)
    known = [(classes.index(label), answer) for label, answer in zip(true, answers, strict=True) if label in classes]
    interval = binomtest(right, len(true)).proportion_ci(method="wilson")
    confusion = {
        label: dict(Counter(str(answer.label) for its, answer in zip(true, answers, strict=True) if its == label))
        for label in sorted(set(true))
    }
    probabilities = np.array([list(answer.probabilities.values()) for _, answer in known])
    return Verdict(
        clips=len(true),
        accuracy=right / len(true),
        interval=(float(interval.low), float(interval.high)),
        probabilities=scores(probabilities, np.array([row for row, _ in known])) if known else None,
        confusion=confusion,
        classes={
            label: _of_class(label, pairs)
            for label in [*classes, *([] if reject_label is None else [str(reject_label)])]
        },
        wrong=[
            Wrong(answer.clip, label, got, answer.probability)
            for label, answer, (want, got) in zip(true, answers, pairs, strict=True)
            if want != got
        ],
        turned_away=None if reject_label is None else _turned_away(true, answers, reject_label),
        thresholds=[_at(least, pairs, answers) for least in THRESHOLDS],
    )


def _turned_away(true: Sequence[str], answers: Sequence[Answer], reject_label: Value) -> TurnedAway:
    away: dict[bool, list[bool]] = {True: [], False: []}
    for label, answer in zip(true, answers, strict=True):
        away[label in map(str, answer.probabilities)].append(answer.label == reject_label)
    known, foreign = (sum(rejected) / len(rejected) if rejected else None for rejected in (away[True], away[False]))
    return TurnedAway(known, foreign)


def _at(least: float, pairs: Sequence[tuple[str, str]], answers: Sequence[Answer]) -> AtThreshold:
    """Scores of the answers of at least a probability, from pairs of right answer and given answer."""
    sure = [
        want == got
        for (want, got), answer in zip(pairs, answers, strict=True)
        if answer.label in answer.probabilities and answer.probability >= least
    ]
    return AtThreshold(least, len(sure) / len(pairs), sum(sure) / len(sure) if sure else None)


def _of_class(label: str, pairs: Sequence[tuple[str, str]]) -> ClassScores:
    """Scores of one class, from pairs of right answer and given answer."""
    clips, named = sum(want == label for want, _ in pairs), sum(got == label for _, got in pairs)
    both = sum(want == got == label for want, got in pairs)
    return ClassScores(clips, both / clips if clips else None, both / named if named else None)


def scores(probabilities: NDArray[np.float64], true: NDArray[np.intp]) -> Scores:
    """Score probabilities, shape (clips, classes), against the true class indices, shape (clips,)."""
    way = probabilities.shape[1]
    labels = np.arange(way)
    against = probabilities[:, 1] if way == 2 else probabilities
    return Scores(
        log_loss=float(log_loss(true, probabilities, labels=labels)),
        brier=float(np.square(probabilities - np.eye(way)[true]).sum(1).mean()),
        calibration_error=calibration_error(probabilities, true),
        auroc=float(roc_auc_score(true, against, multi_class="ovr")) if len(set(true)) == way else None,
    )


def calibration_error(probabilities: NDArray[np.float64], true: NDArray[np.intp]) -> float:
    """Expected calibration error over 15 bins of equal width, in 0..1 (Guo et al. 2017).

    In every bin, the mean of the greatest probabilities is compared with the share of right answers. The absolute
    differences are averaged, weighted by the number of clips.

    Args:
        probabilities: shape (clips, classes).
        true: true class indices, shape (clips,).
    """
    sure, right = probabilities.max(1), probabilities.argmax(1) == true
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, sure - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(true))
