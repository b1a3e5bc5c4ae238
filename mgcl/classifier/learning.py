"""Fitting of a model to labelled clips."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgcl.backbones.backbone import Backbone, reads_text
from mgcl.catalogue import names
from mgcl.classifier import calibration
from mgcl.classifier.background import background as heard
from mgcl.classifier.embedding import embedded, embedded_classes, in_rows, joined
from mgcl.classifier.labels import near_equal
from mgcl.classifier.learner import Learner
from mgcl.classifier.model import Classes, Examples, Model
from mgcl.classifier.one_vs_rest import OneVsRest
from mgcl.classifier.several import learnt, thresholds_of
from mgcl.classifier.sounds import Sound
from mgcl.errors import ClassifierError, DataError, MgclWarning
from mgcl.language.explanations import ClassText, class_texts
from mgcl.methods.method import ClipFeatures, Support
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
    labels: Sequence[Sequence[Value]],
    backbone: Backbone,
    captions: Sequence[str] | None,
    choices: Float[Tensor, "k d"] | None,
    known: Examples | None = None,
) -> Examples:
    """Embed labelled clips one at a time: in a batch, the last digits would depend on the other clips.

    Args:
        sounds: the clips; silent clips cause a warning.
        labels: the labels of each clip; a clip without labels is of none of the classes.
        backbone: the backbone that embeds them.
        captions: one per clip; None: each clip takes the nearest of ``choices``.
        choices: candidate captions; see ``Model``.
        known: clips that the backbone embedded before, which are not embedded again; None: there are none.

    Returns:
        One row per clip and label. The label of a clip without labels is None.
    """
    for silent in (sound.name for sound in sounds if sound.is_silent):
        warnings.warn(f"{silent}: is silent; leave it out", MgclWarning, stacklevel=4)
    own: Sequence[Sequence[str] | None] = [None] * len(sounds) if captions is None else [[each] for each in captions]
    before = {} if known is None or captions is not None else _by_digest(known)
    parts = [
        before.get(sound.digest) or embedded([sound], backbone, caption, choices)
        for sound, caption in zip(sounds, own, strict=True)
    ]
    once = Examples(
        joined([clip for clip, _ in parts]),
        tuple(sound.name for sound in sounds),
        tuple(sound.digest for sound in sounds),
        tuple(caption for _, each in parts for caption in each or ()) or None,
        (None,) * len(sounds),
    )
    pairs = [(row, label) for row, each in enumerate(labels) for label in each or (None,)]
    return replace(once.picked(np.array([row for row, _ in pairs])), labels=tuple(label for _, label in pairs))


def _by_digest(known: Examples) -> dict[str, tuple[ClipFeatures, Sequence[str] | None]]:
    """Digest -> features and caption of each clip, in the form of ``embedded``."""
    return {
        digest: (in_rows(known.clips, torch.tensor([row])), known.captions and known.captions[row : row + 1])
        for row, digest in enumerate(known.digests)
    }


def described_classes(
    labels: Iterable[Value], explanations: Sentences, backbone: Backbone, reject_label: Value
) -> Classes:
    """The classes, sorted, with their embedded sentences; labels that look alike cause a warning.

    Raises:
        ClassifierError: a class has the name of ``reject_label``.
        DataError: a class has no explanations, or the classes have unequal numbers of them.
    """
    classes = tuple(np.unique(np.array([label for label in labels if label is not None])).tolist())
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
    multi_label: bool = False,
    seed: int,
) -> Model:
    """Fit the method, the temperature, and with ``reject_rate`` the rejection threshold.

    Args:
        examples: labelled clips in any order. They are sorted by class, and clips of one class keep their order, so
            the order of the classes does not matter. Clips whose label is None are the background.
        classes: the classes of the examples.
        learner: the method.
        logit_scale: logit scale of the backbone.
        choices: candidate captions; see ``Model``.
        reject_rate: greatest share of known clips that the threshold may reject; None: no threshold is learnt.
        multi_label: whether a clip may have several classes, in a row for each.
        seed: seed of the folds and of the method.

    Raises:
        DataError: one sound is in two classes without ``multi_label``, or in a class and in the background.
        ClassifierError: the method cannot be fitted on these clips, or they are too few for a threshold.
    """
    examples = examples.picked(_once_each(examples, several=multi_label))
    is_background = np.array([label is None for label in examples.labels])
    background = examples.picked(np.flatnonzero(is_background)) if is_background.any() else None
    examples = examples.picked(np.flatnonzero(~is_background))
    row_of = {label: row for row, label in enumerate(classes.labels)}
    rows = np.array([row_of[label] for label in examples.labels])
    order = np.argsort(rows, kind="stable")
    examples = examples.picked(order)
    support = Support(
        clips=examples.counted if multi_label else examples.clips,
        labels=torch.from_numpy(rows[order]),
        prompts=classes.prompts,
        explanations=classes.explanations,
        logit_scale=logit_scale,
        seeds=torch.tensor(seed),
    )
    scorer: Learner | OneVsRest = learner
    if multi_label:
        scorer = OneVsRest(learner, None if background is None else background.clips)
        _check_others(support, scorer, classes)
    try:
        fitted = scorer.fit(support)
    except ValueError as error:
        raise ClassifierError(str(error)) from None
    model = Model(
        learner=learner,
        fitted=fitted,
        support=support,
        examples=examples,
        classes=classes,
        choices=choices,
        temperature=1.0,
        threshold=None,
        background=background,
    )
    if isinstance(scorer, OneVsRest):
        return _calibrated_for_several(model, scorer, seed=seed)
    return _calibrated(model, reject_rate, seed=seed)


def _calibrated(model: Model, reject_rate: float | None, *, seed: int) -> Model:
    """The model with its temperature, its rejection threshold if asked for, and its answers to the background."""
    support, learner = model.support, model.learner
    tau = calibration.temperature(support, learner, model.fitted, seed=seed)
    model = replace(model, temperature=tau)
    logits = np.empty((0, len(support.counts)), np.float32)
    if model.background is not None:
        logits = model.logits(model.background.clips)
    named = np.ones(len(logits), bool)
    if reject_rate is not None:
        familiarity = calibration.familiarity(torch.from_numpy(logits))
        away, named = calibration.threshold(support, learner, familiarity, most_known=reject_rate, seed=seed)
        model = replace(model, threshold=away.below, turned_away=away)
    return replace(model, heard=heard(named, model.probabilities(logits)) if len(logits) else None)


def _calibrated_for_several(model: Model, scorer: OneVsRest, *, seed: int) -> Model:
    """The model with what names several classes of a clip, and its answers to the background."""
    prior = calibration.PRIOR_TEMPERATURE * calibration.spread(scorer.predict(model.fitted, model.support.clips).logits)
    left_out, tagged = scorer.cross_fitted(model.support, seed=seed)
    logits, truth = left_out.double().numpy(), tagged.numpy()
    tau, several = learnt(logits, truth, prior=prior)
    model = replace(model, temperature=tau, several=several)
    if model.background is None:
        return model
    shares = several.probabilities(logits, tau)
    rows = range(len(truth) - len(model.background.names), len(truth))
    named = [(shares[row] >= thresholds_of(np.delete(shares, row, 0), np.delete(truth, row, 0))).any() for row in rows]
    return replace(model, heard=heard(np.array(named), shares[rows.start :]))


def _check_others(support: Support, scorer: OneVsRest, classes: Classes) -> None:
    """Check that every class has enough clips that are not of it.

    Raises:
        ClassifierError: a class has not; names it.
    """
    truth, least = scorer.tagged(support).truth, scorer.learner.least_shots
    for label, own in zip(classes.labels, truth.sum(0).tolist(), strict=True):
        if len(truth) - own < least:
            raise ClassifierError(
                f"{own} of {len(truth)} clips have the label {label!r}: it is learnt from clips without it too; add "
                "clips of other classes alone, or give a `background`"
            )


def _once_each(examples: Examples, *, several: bool) -> NDArray[np.intp]:
    """Rows of the first occurrence of every sound; duplicates that are left out cause a warning.

    With ``several`` a sound may occur once with each of its labels, but not both with a label and without.

    Raises:
        DataError: one sound is in two classes, or in a class and in the background.
    """
    first: dict[tuple[str, Value], int] = {}
    by_sound: dict[str, int] = {}
    again = []
    for row, (digest, name, label) in enumerate(zip(examples.digests, examples.names, examples.labels, strict=True)):
        same = by_sound.setdefault(digest, row)
        if (own := examples.labels[same]) != label and (not several or None in (own, label)):
            raise DataError(
                f"{name} ({_class(label)}) is the same sound as {examples.names[same]} ({_class(own)}): leave "
                f"it out of one, or of both{'' if None in (own, label) else ', or let clips have `multi_label`'}"
            )
        earlier = first.setdefault((digest, label), row)
        if earlier != row:
            other = examples.names[earlier]
            again.append(f"{name} is given twice" if name == other else f"{name} is the same sound as {other}")
    if again:
        more = f", and {len(again) - _NAMED} more" if len(again) > _NAMED else ""
        warnings.warn(f"{'; '.join(again[:_NAMED])}{more}: each counts once", MgclWarning, stacklevel=5)
    return np.array(list(first.values()))


def _class(label: Value) -> str:
    return "background" if label is None else str(label)
