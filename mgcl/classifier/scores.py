"""How good answers and their probabilities are."""

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


@dataclass(frozen=True)
class Scores:
    """How good probabilities are, of clips that are of one of the classes."""

    log_loss: float
    """Mean, in nats."""
    brier: float
    """Mean over clips of the squared errors' sum over classes, in 0..2 (Brier 1950)."""
    calibration_error: float
    """Expected calibration error over 15 bins of equal width, in 0..1 (Guo et al. 2017)."""
    auroc: float | None
    """Mean of each class against the rest, in 0..1; None: a class has no clip."""


@dataclass(frozen=True)
class ClassScores:
    """How well one class is recognised."""

    clips: int
    """Number of clips of the class."""
    recall: float | None
    """Share of its clips that were answered rightly, in 0..1; None: it has no clip."""
    precision: float | None
    """Share of the answers with its name that were right, in 0..1; None: there was none."""


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
    """How answers compare with the truth."""

    clips: int
    accuracy: float
    """In 0..1."""
    interval: tuple[float, float]
    """Wilson's, of 95 %."""
    probabilities: Scores | None
    """Quality of the probabilities; None: no clip is of one of the classes."""
    confusion: Mapping[str, Mapping[str, int]]
    """True label -> answer -> clips."""
    classes: Mapping[str, ClassScores]
    """Class -> its scores; the reject label too, where there is one."""
    wrong: Sequence[Wrong]


def judge(true: Sequence[str], answers: Sequence[Answer], reject_label: Value) -> Verdict:
    """Compare answers with the truth; on clips of other classes the reject label is right.

    Args:
        true: label of each clip.
        answers: to each clip.
        reject_label: of the classifier; None: it has none.

    Raises:
        ClassifierError: a label that the classifier does not have, and cannot turn away.
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
    )


def _of_class(label: str, pairs: Sequence[tuple[str, str]]) -> ClassScores:
    """Scores of a class, from pairs of the right answer and the one that was given."""
    clips, named = sum(want == label for want, _ in pairs), sum(got == label for _, got in pairs)
    both = sum(want == got == label for want, got in pairs)
    return ClassScores(clips, both / clips if clips else None, both / named if named else None)


def scores(probabilities: NDArray[np.float64], true: NDArray[np.intp]) -> Scores:
    """Compare probabilities, shape (clips, classes), with the class index of each clip."""
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
    """By how much the greatest probability differs from the share that is right, bin by bin, weighed by clips."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == true
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, sure - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(true))
