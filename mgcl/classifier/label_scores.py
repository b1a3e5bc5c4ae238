"""Scores of a classifier of several labels per clip, against the true labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mgcl.classifier.answers import Answer
from mgcl.classifier.labels import indicator
from mgcl.classifier.scores import THRESHOLDS, Wrong
from mgcl.data.folder import SEPARATOR
from mgcl.metrics.counts import f1
from mgcl.metrics.ranking import average_precision, mean_over_classes


@dataclass(frozen=True)
class LabelScores:
    """Scores of one class."""

    clips: int
    """Number of clips of the class."""
    recall: float | None
    """Share of the class's clips that were given it, in 0..1; None: the class has no clip."""
    precision: float | None
    """Share of the clips that were given the class and are of it, in 0..1; None: none was given it."""
    f1: float
    """Harmonic mean of the two, in 0..1; 0 where nothing of the class was found."""
    average_precision: float | None
    """Average precision of the clips ranked by the class's probability, in 0..1; None: the class has no clip."""


@dataclass(frozen=True)
class AtThreshold:
    """Answers if every class had the same threshold."""

    probability: float
    """The threshold, in 0..1."""
    recall: float | None
    """Share of all labels that were given, in 0..1; None: the clips have no labels."""
    precision: float | None
    """Share of all given labels that are right, in 0..1; None: none was given."""


@dataclass(frozen=True)
class LabelVerdict:
    """Comparison of answers of several labels with the true labels."""

    clips: int
    """Number of clips."""
    mean_average_precision: float | None
    """Mean of the classes' average precision, in 0..1; None: no clip has a label that is a class."""
    micro_f1: float
    """F1 of all labels of all clips together, in 0..1."""
    macro_f1: float
    """Mean F1 of the classes that have a clip, in 0..1."""
    exact: float
    """Share of the clips with all of their classes and no other, in 0..1."""
    nothing: float
    """Share of the clips that were given no class, in 0..1."""
    foreign: float | None
    """Share of the clips of none of the classes that were given one, in 0..1; None: there are no such clips."""
    classes: Mapping[str, LabelScores]
    """Class -> scores."""
    thresholds: Sequence[AtThreshold]
    """What one threshold for all classes is worth, for each of ``THRESHOLDS`` above 0."""
    wrong: Sequence[Wrong]
    """Clips that lack a class or have one too many."""


def judge(true: Sequence[Sequence[str]], answers: Sequence[Answer]) -> LabelVerdict:
    """Compare answers with the true labels. Labels that are none of the classifier's classes are left out.

    Args:
        true: labels of each clip; none: the clip is of none of the classes.
        answers: answers, one per clip.
    """
    classes = [str(label) for label in answers[0].probabilities]
    truth = indicator(true, classes).astype(bool)
    named = indicator([[str(label) for label in answer.named] for answer in answers], classes).astype(bool)
    shares = np.array([list(answer.probabilities.values()) for answer in answers])
    hits, false, missed = ((each).sum(0).astype(float) for each in (named & truth, named & ~truth, ~named & truth))
    ranked, there = average_precision(shares, truth)[0], truth.any(0)
    of_class = f1(hits, false, missed)
    outside = ~truth.any(1)
    return LabelVerdict(
        clips=len(true),
        mean_average_precision=float(mean_over_classes(ranked[None])[0]) if there.any() else None,
        micro_f1=float(f1(hits.sum(), false.sum(), missed.sum())),
        macro_f1=float(of_class[there].mean()) if there.any() else 0.0,
        exact=float((named == truth).all(1).mean()),
        nothing=float((~named.any(1)).mean()),
        foreign=float(named[outside].any(1).mean()) if outside.any() else None,
        classes={
            label: LabelScores(
                clips=int(truth[:, row].sum()),
                recall=_share(hits[row], hits[row] + missed[row]),
                precision=_share(hits[row], hits[row] + false[row]),
                f1=float(of_class[row]),
                average_precision=float(ranked[row]) if there[row] else None,
            )
            for row, label in enumerate(classes)
        },
        thresholds=[
            AtThreshold(
                least,
                _share((truth & (shares >= least)).sum(), truth.sum()),
                _share((truth & (shares >= least)).sum(), (shares >= least).sum()),
            )
            for least in THRESHOLDS[1:]
        ],
        wrong=[
            Wrong(answer.clip, SEPARATOR.join(own), str(answer.label), answer.probability)
            for row, (own, answer) in enumerate(zip(true, answers, strict=True))
            if (named[row] != truth[row]).any()
        ],
    )


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
