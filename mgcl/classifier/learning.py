"""Fitting of a model to labelled clips."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgcl.backbones.backbone import Backbone, reads_text
from mgcl.catalogue import names
from mgcl.classifier import calibration
from mgcl.classifier.embedding import embedded, embedded_classes, joined
from mgcl.classifier.labels import near_equal
from mgcl.classifier.learner import Learner
from mgcl.classifier.model import Classes, Examples, Model
from mgcl.classifier.sounds import Sound
from mgcl.errors import ClassifierError, DataError, MgclWarning
from mgcl.language.explanations import ClassText, class_texts
from mgcl.methods.method import Support
from mgcl.records import Value

Sentences = str | Path | Mapping[str, Sequence[str] | ClassText] | None
"""Explanations of classes, in the forms that ``FewShotClassifier.fit`` takes."""
_NAMED = 5
"""Greatest number of duplicate sounds that a warning names."""


def suited(learner: Learner, backbone: Backbone, *, own_captions: bool) -> Learner:
    """The learner for these clips: if neither the user nor the backbone has captions, without them, with a warning.

    Raises:
        ClassifierError: the method needs captions and there are none, or sentences and the backbone has no text side.
    """
    if learner.needs_text and not reads_text(backbone):
        known = (Learner.named(name, {}) for name in names("method", "few_shot"))
        others = ", ".join(each.name for each in known if set(each.parameters.reads) <= {"clip", "segments"})
        raise ClassifierError(
            f"the method {learner.name} reads sentences, and the backbone {backbone.name} has no text side; choose "
            f"another `method`: {others}"
        )
    if own_captions or backbone.captions or not learner.needs_captions:
        return learner
    try:
        without = learner.without_captions()
    except ValueError as error:
        raise ClassifierError(f"{error}, and the backbone {backbone.name} brings none: give them") from None
    warnings.warn(
        f"the backbone {backbone.name} brings no captions and none were given: clips are known by audio alone",
        MgclWarning,
        stacklevel=3,
    )
    return without


def embedded_examples(
    sounds: Sequence[Sound],
    labels: Sequence[Value],
    backbone: Backbone,
    captions: Sequence[str] | None,
    choices: Float[Tensor, "k d"] | None,
) -> Examples:
    """Embed labelled clips one at a time: in a batch, the last digits would depend on the other clips.

    Args:
        sounds: the clips; silent clips cause a warning.
        labels: one per clip.
        backbone: the backbone that embeds them.
        captions: one per clip; None: each clip takes the nearest of ``choices``.
        choices: candidate captions; see ``Model``.
    """
    for silent in (sound.name for sound in sounds if sound.is_silent):
        warnings.warn(f"{silent}: is silent; leave it out", MgclWarning, stacklevel=4)
    own: Sequence[Sequence[str] | None] = [None] * len(sounds) if captions is None else [[each] for each in captions]
    parts = [embedded([sound], backbone, caption, choices) for sound, caption in zip(sounds, own, strict=True)]
    return Examples(
        joined([clip for clip, _ in parts]),
        tuple(sound.name for sound in sounds),
        tuple(sound.digest for sound in sounds),
        tuple(caption for _, each in parts for caption in each or ()) or None,
        tuple(labels),
    )


def described_classes(
    labels: Iterable[Value], explanations: Sentences, backbone: Backbone, reject_label: Value
) -> Classes:
    """The classes, sorted, with their embedded sentences; labels that look alike cause a warning.

    Raises:
        ClassifierError: a class has the name of ``reject_label``.
        DataError: a class has no explanations, or the classes have unequal numbers of them.
    """
    classes = tuple(np.unique(np.array(list(labels))).tolist())
    if reject_label in classes:
        raise ClassifierError(f"`reject_label` is {reject_label!r}, which is a class too; name it otherwise")
    for alike in near_equal(classes):
        warnings.warn(
            f"the classes {' and '.join(map(repr, alike))} differ in case, spaces or dashes alone: "
            "if they are one class, give it one name",
            MgclWarning,
            stacklevel=4,
        )
    texts = class_texts([str(label) for label in classes], explanations)
    return Classes(classes, texts, *embedded_classes(texts, backbone))


def fit(
    examples: Examples,
    classes: Classes,
    learner: Learner,
    *,
    logit_scale: float,
    choices: Float[Tensor, "k d"] | None,
    reject_rate: float | None,
    seed: int,
) -> Model:
    """Fit the method, the temperature, and with ``reject_rate`` the rejection threshold.

    Args:
        examples: labelled clips in any order. They are sorted by class, and clips of one class keep their order, so
            the order of the classes does not matter.
        classes: the classes of the examples.
        learner: the method.
        logit_scale: logit scale of the backbone.
        choices: candidate captions; see ``Model``.
        reject_rate: greatest share of known clips that the threshold may reject; None: no threshold is learnt.
        seed: seed of the folds and of the method.

    Raises:
        DataError: one sound is in two classes.
        ClassifierError: the method cannot be fitted on these clips, or they are too few for a threshold.
    """
    examples = examples.picked(_once_each(examples))
    row_of = {label: row for row, label in enumerate(classes.labels)}
    rows = np.array([row_of[label] for label in examples.labels])
    order = np.argsort(rows, kind="stable")
    examples = examples.picked(order)
    support = Support(
        clips=examples.clips,
        labels=torch.from_numpy(rows[order]),
        prompts=classes.prompts,
        explanations=classes.explanations,
        logit_scale=logit_scale,
        seeds=torch.tensor(seed),
    )
    try:
        fitted = learner.fit(support)
    except ValueError as error:
        raise ClassifierError(str(error)) from None
    turned_away = (
        None if reject_rate is None else calibration.threshold(support, learner, most_known=reject_rate, seed=seed)
    )
    return Model(
        learner=learner,
        fitted=fitted,
        support=support,
        examples=examples,
        classes=classes,
        choices=choices,
        temperature=calibration.temperature(support, learner, fitted, seed=seed),
        threshold=None if turned_away is None else turned_away.below,
        turned_away=turned_away,
    )


def _once_each(examples: Examples) -> NDArray[np.intp]:
    """Rows of the first occurrence of every sound; duplicates that are left out cause a warning.

    Raises:
        DataError: one sound is in two classes.
    """
    first: dict[str, int] = {}
    again = []
    for row, (digest, name, label) in enumerate(zip(examples.digests, examples.names, examples.labels, strict=True)):
        earlier = first.setdefault(digest, row)
        if examples.labels[earlier] != label:
            raise DataError(
                f"{name} ({label}) is the same sound as {examples.names[earlier]} ({examples.labels[earlier]}): leave "
                "it out of one class, or of both"
            )
        if earlier != row:
            other = examples.names[earlier]
            again.append(f"{name} is given twice" if name == other else f"{name} is the same sound as {other}")
    if again:
        more = f", and {len(again) - _NAMED} more" if len(again) > _NAMED else ""
        warnings.warn(f"{'; '.join(again[:_NAMED])}{more}: each counts once", MgclWarning, stacklevel=5)
    return np.array(list(first.values()))
