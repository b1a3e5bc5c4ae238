"""A fitted classifier: everything that its answers depend on, but the backbone."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

from mgcl.backbones.backbone import Backbone
from mgcl.classifier import calibration
from mgcl.classifier.hearing import hear, joined, some
from mgcl.classifier.sounds import Sound
from mgcl.errors import ClassifierError, DataError, MgclWarning
from mgcl.language.explanations import ClassText
from mgcl.methods.few_shot import mgcl
from mgcl.methods.method import ClipFeatures, Support
from mgcl.records import Value

_NAMED = 5
"""Sounds given twice that a warning names."""


@dataclass(frozen=True)
class Examples:
    """Labelled clips as a backbone heard them, each class's together."""

    clips: ClipFeatures
    names: tuple[str, ...]
    """Of the clips."""
    digests: tuple[str, ...]
    captions: tuple[str, ...] | None
    labels: tuple[Value, ...]
    """Of the clips."""

    @classmethod
    def heard(
        cls,
        sounds: Sequence[Sound],
        labels: Sequence[Value],
        ear: Backbone,
        captions: Sequence[str] | None,
        choices: Float[Tensor, "k d"] | None,
    ) -> "Examples":
        """One clip at a time, so that none depends in its last digits on what it was heard with."""
        own: Sequence[Sequence[str] | None] = (
            [None] * len(sounds) if captions is None else [[each] for each in captions]
        )
        parts = [hear([sound], ear, caption, choices) for sound, caption in zip(sounds, own, strict=True)]
        return cls(
            joined([clip for clip, _ in parts]),
            tuple(sound.name for sound in sounds),
            tuple(sound.digest for sound in sounds),
            tuple(caption for _, said in parts for caption in said or ()) or None,
            tuple(labels),
        )

    def __add__(self, other: "Examples") -> "Examples":
        captions = None if self.captions is None else (*self.captions, *(other.captions or ()))
        return Examples(
            joined([self.clips, other.clips]),
            self.names + other.names,
            self.digests + other.digests,
            captions,
            self.labels + other.labels,
        )

    def picked(self, rows: NDArray[np.intp]) -> "Examples":
        """Those in these rows, in their order."""

        def pick(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[row] for row in rows)

        return Examples(
            some(self.clips, torch.from_numpy(rows)),
            pick(self.names),
            pick(self.digests),
            None if self.captions is None else pick(self.captions),
            pick(self.labels),
        )


@dataclass(frozen=True)
class Classes:
    """The classes, sorted, and what is said of them."""

    labels: tuple[Value, ...]
    texts: tuple[ClassText, ...]
    prompts: Float[Tensor, "way d"]
    explanations: Float[Tensor, "way n_e d"]


@dataclass(frozen=True)
class Model:
    """A support set with what was learnt from it."""

    fitted: mgcl.Fitted
    examples: Examples
    """The support, in the order of ``fitted``'s."""
    classes: Classes
    choices: Float[Tensor, "k d"] | None
    """The backbone's captions, where clips are captioned with the nearest."""
    temperature: float
    threshold: float | None
    """Familiarity below which a clip is none of the classes; None: it is always one."""
    turned_away: calibration.TurnedAway | None = None
    """By the threshold."""

    @property
    def own_captions(self) -> bool:
        """Whether clips come with a caption of the user's."""
        return self.examples.captions is not None and self.choices is None

    def logits(self, clips: ClipFeatures) -> NDArray[np.float32]:
        """Shape (clips, classes).

        Raises:
            FloatingPointError: one is not finite.
        """
        found: NDArray[np.float32] = mgcl.predict(self.fitted, clips).logits.numpy()
        if not np.isfinite(found).all():
            raise FloatingPointError("a logit is not finite; do the sounds hold anything but numbers?")
        return found

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax(logits / τ), shape (clips, classes)."""
        shares: NDArray[np.float64] = softmax(logits.astype(np.float64) / self.temperature, axis=1)
        return shares

    def is_known(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which clips are one of the classes, shape (clips,)."""
        familiar = calibration.familiarity(torch.from_numpy(logits))
        return np.asarray(familiar >= (-np.inf if self.threshold is None else self.threshold))


def fit(
    examples: Examples,
    classes: Classes,
    parameters: mgcl.Parameters,
    *,
    logit_scale: float,
    choices: Float[Tensor, "k d"] | None,
    reject_rate: float | None,
    seed: int,
) -> Model:
    """Fit the method, its temperature, and if wanted its threshold.

    Args:
        examples: in any order; clips of one class keep theirs, and classes are sorted, so that it does not matter
            which class was given first.
        classes: of the examples.
        parameters: of the method.
        logit_scale: the backbone's.
        choices: see ``Model``.
        reject_rate: learn a threshold that turns away at most this share of known clips; None: learn none.
        seed: of whatever is drawn.

    Raises:
        DataError: one sound in two classes.
        ClassifierError: so few clips cannot be learnt from in the way that was asked for.
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
        fitted = mgcl.fit(support, parameters)
    except ValueError as error:
        raise ClassifierError(str(error)) from None
    turned_away = (
        None if reject_rate is None else calibration.threshold(support, parameters, most_known=reject_rate, seed=seed)
    )
    return Model(
        fitted=fitted,
        examples=examples,
        classes=classes,
        choices=choices,
        temperature=calibration.temperature(support, parameters, seed=seed),
        threshold=None if turned_away is None else turned_away.below,
        turned_away=turned_away,
    )


def _once_each(examples: Examples) -> NDArray[np.intp]:
    """Rows of sounds that differ, the first of each; what is left out is warned of.

    Raises:
        DataError: one sound in two classes.
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
        warnings.warn(f"{'; '.join(again[:_NAMED])}{more}: each counts once", MgclWarning, stacklevel=2)
    return np.array(list(first.values()))
