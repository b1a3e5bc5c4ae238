"""Fitting to labelled windows: the model that asks, its scores of other windows, and the learning curve."""

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import Tensor

from mgcl.classifier.detector import BACKGROUND
from mgcl.classifier.embedding import captioned, embedded_classes
from mgcl.classifier.estimator import FewShotClassifier
from mgcl.classifier.index.header import backbone_of
from mgcl.classifier.index.index import Index, Rows
from mgcl.classifier.labelling.choosing import Pool, pool_rows
from mgcl.classifier.model import Examples
from mgcl.errors import ClassifierError, DataError
from mgcl.language.explanations import class_texts
from mgcl.methods.method import ClipFeatures
from mgcl.records import Value
from mgcl.transport.cost import unit

_BATCH = 256
"""Windows that are scored at once."""
_POINTS = 8
"""Points of a learning curve."""


@dataclass(frozen=True, eq=False)
class Start:
    """What labelling begins with."""

    index: Index
    classifier: FewShotClassifier
    """Fitted, or without a model yet; it is not changed."""
    classes: tuple[str, ...]
    """Classes that are asked for: all but the background."""
    prompts: Float[Tensor, "classes d"]
    """Embeddings of sentences with the classes' names, unit vectors."""

    @property
    def is_fitted(self) -> bool:
        """Whether there is a model to begin with."""
        return hasattr(self.classifier, "model_")

    @property
    def known(self) -> tuple[Value, ...]:
        """Labels of the clips of the model to begin with; empty: there is none."""
        return self.classifier.model_.examples.labels if self.is_fitted else ()


@dataclass(frozen=True)
class Point:
    """One point of a learning curve."""

    labels: int
    """Number of labelled windows that the model was fitted on."""
    tested: int
    """Number of windows that were drawn at random and labelled; no model is fitted on them."""
    right: int
    """Number of those that the model answers rightly."""
    interval: tuple[float, float]
    """Wilson interval of the accuracy, of 95 %: lower and upper bound."""


def start(
    index: Index, classifier: FewShotClassifier, more: Sequence[str], *, weights: str | None, device: str
) -> Start:
    """Check that a classifier and an index go together.

    Args:
        index: the index.
        classifier: fitted, or not.
        more: classes beside those of the classifier.
        weights: weights of the backbone, if they have moved.
        device: device of the backbone.

    Raises:
        ClassifierError: the classifier was fitted with captions of the user's, gives several labels per clip, has a
            background or labels that are no text, or there is no class.
        DataError: the classifier is of another backbone than the index, or the index has no windows.
    """
    index.check_any()
    backbone = backbone_of(index.header, index.path, weights=weights, device=device)
    known: list[str] = []
    if hasattr(classifier, "model_"):
        known = _classes(classifier)
        if (own := classifier._backbone).fingerprint != backbone.fingerprint:
            raise DataError(
                f"{index.path}: made with the backbone {index.header.backbone} of fingerprint {backbone.fingerprint}, "
                f"and the model with {classifier.backbone_} of {own.fingerprint}; make an index with the model's "
                "backbone, or fit a model with the index's"
            )
    classes = tuple(dict.fromkeys(label for label in (*known, *more) if label != BACKGROUND))
    if not classes:
        raise ClassifierError("there is no class to label: name one (`classes`), or a model that knows one (`model`)")
    prompts, _ = embedded_classes(class_texts(classes), backbone)
    return Start(index, classifier, classes, prompts)


def _classes(classifier: FewShotClassifier) -> list[str]:
    """Classes of a fitted classifier.

    Raises:
        ClassifierError: it cannot learn from windows with one label each.
    """
    model = classifier.model_
    known = [label for label in model.classes.labels if isinstance(label, str)]
    if len(known) < len(model.classes.labels):
        raise ClassifierError("the model's classes are numbers, and labels are text: fit it with text as labels")
    if model.several is not None:
        raise ClassifierError("the model gives a clip several labels, and here a window has one: fit one per clip")
    if model.background is not None:
        raise ClassifierError(
            f"the model has a background of its own, and here {BACKGROUND!r} is a class: fit it without `background`"
        )
    if model.own_captions:
        raise ClassifierError("the model was fitted with captions of your own, which a window lacks: fit without")
    return known


def fitted(begun: Start, rows: Rows, labels: Sequence[str]) -> FewShotClassifier | None:
    """Fit a classifier to the clips of the beginning and to labelled windows; None: they are of one class.

    Args:
        begun: the beginning.
        rows: rows of the index.
        labels: their classes.

    Raises:
        ClassifierError: the method cannot be fitted on these clips.
    """
    if len({*begun.known, *labels}) < 2:
        return None
    classifier = copy.copy(begun.classifier)
    examples = _examples(begun, rows, labels)
    if begun.is_fitted:
        own = classifier.model_.examples
        examples = own + examples if len(rows) else own
    return classifier.fit_embedded(examples)


def probabilities(classifier: FewShotClassifier, index: Index, rows: Rows) -> NDArray[np.float64]:
    """Class probabilities of windows, in the order of the classifier's classes, shape (rows, classes)."""
    model = classifier.model_
    found = [np.empty((0, len(model.classes.labels)))]
    for first in range(0, len(rows), _BATCH):
        clips = _features(index, rows[first : first + _BATCH])
        clips, _ = captioned(clips, classifier._backbone, model.choices)
        with torch.inference_mode():
            found.append(model.probabilities(model.logits(clips)))
    return np.concatenate(found)


def pool(begun: Start, classifier: FewShotClassifier | None, *, seed: int) -> Pool:
    """Windows that are scored by a classifier, or by the classes' names as long as there is none.

    Args:
        begun: the beginning.
        classifier: the newest fit; None: there is none.
        seed: seed of the windows that are drawn.
    """
    near = begun.prompts
    if classifier is not None:
        near = torch.stack([_direction(classifier, label, near[row]) for row, label in enumerate(begun.classes)])
    cosines = begun.index.cosines(near.numpy().T)
    rows = pool_rows(cosines, begun.index.usable, seed)
    scores = cosines[rows].astype(np.float64)
    scores, likely = _with_probabilities(begun, classifier, rows, scores)
    if likely is None:
        return Pool(rows, scores, None)
    ranked = np.sort(likely, axis=1)
    return Pool(rows, scores, ranked[:, -1] - ranked[:, -2])


def _with_probabilities(
    begun: Start, classifier: FewShotClassifier | None, rows: Rows, scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Scores with the probabilities of those classes that the classifier knows, and its probabilities.

    Args:
        begun: the beginning.
        classifier: the newest fit; None: the scores stay as they are.
        rows: rows of the index.
        scores: scores of classes that it does not know, shape (rows, classes).
    """
    if classifier is None:
        return scores, None
    likely, found = probabilities(classifier, begun.index, rows), scores.copy()
    for column, label in enumerate(classifier.classes_):
        if label in begun.classes:
            found[:, begun.classes.index(label)] = likely[:, column]
    return found, likely


def class_scores(begun: Start, classifier: FewShotClassifier | None, row: int) -> NDArray[np.float64]:
    """How likely each class sounds in one window, as in ``Pool.scores``, shape (classes,)."""
    rows = np.array([row])
    scores = (begun.index.clip(rows) @ begun.prompts.numpy().T).astype(np.float64)
    found: NDArray[np.float64] = _with_probabilities(begun, classifier, rows, scores)[0][0]
    return found


def curve(
    begun: Start, rows: Rows, labels: Sequence[str], test_rows: Rows, test_labels: Sequence[str]
) -> tuple[Point, ...]:
    """Accuracy on the test windows of fits on the first labels, on more of them, and on all.

    Args:
        begun: the beginning.
        rows: rows of the labelled windows, in the order in which they were labelled.
        labels: their classes.
        test_rows: rows of the test windows.
        test_labels: their classes.

    Returns:
        At most ``_POINTS`` points by rising number of labels; none without test windows.
    """
    points = []
    for count in np.unique(np.linspace(0, len(rows), _POINTS).round().astype(int)).tolist() if len(test_rows) else ():
        try:
            classifier = fitted(begun, rows[:count], labels[:count])
        except ClassifierError:  # too few clips for the method: the curve begins later
            continue
        if classifier is not None:
            answers = classifier.classes_[probabilities(classifier, begun.index, test_rows).argmax(1)]
            points.append(_point(count, answers.tolist(), test_labels))
    return tuple(points)


def _point(count: int, answers: Sequence[str], true: Sequence[str]) -> Point:
    right = sum(answer == label for answer, label in zip(answers, true, strict=True))
    interval = binomtest(right, len(true)).proportion_ci(method="wilson")
    return Point(count, len(true), right, (float(interval.low), float(interval.high)))


def _direction(classifier: FewShotClassifier, label: str, prompt: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    """Unit vector that windows of a class are near to: the mean of its clips; without clips its prompt."""
    examples = classifier.model_.examples
    own = torch.tensor([each == label for each in examples.labels])
    return unit(examples.clips.clip[own].mean(0)) if own.any() else prompt


def _examples(begun: Start, rows: Rows, labels: Sequence[str]) -> Examples:
    index, classifier = begun.index, begun.classifier
    stretches = [index.stretch(row) for row in rows.tolist()]
    names = tuple(f"{each.path} {each.start:g}-{each.end:g} s" for each in stretches)
    choices = classifier.model_.choices if begun.is_fitted else None
    clips, captions = captioned(_features(index, rows), classifier._backbone, choices)
    digests = tuple(hashlib.sha256(name.encode()).hexdigest() for name in names)
    return Examples(clips, names, digests, None if captions is None else tuple(captions), tuple(labels))


def _features(index: Index, rows: Rows) -> ClipFeatures:
    """Features of windows; segments, which are float16 on the disk, are brought to unit length again."""
    return ClipFeatures(unit(torch.from_numpy(index.segments(rows))), torch.from_numpy(index.clip(rows)), None)
