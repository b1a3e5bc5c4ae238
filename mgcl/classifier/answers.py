"""The answer to one clip, or to one window of a long recording."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.classifier.model import Model
from mgcl.classifier.sounds import Sound
from mgcl.data.folder import SEPARATOR
from mgcl.records import Value


@dataclass(frozen=True)
class Answer:
    """The label and the class probabilities of one clip, or of one window of a recording."""

    clip: str
    label: Value
    """One of the classes, or the reject label. A silent clip gets the reject label where the classifier has one.

    Of several labels it is the text of them all, joined by ``SEPARATOR``.
    """
    probabilities: dict[Value, float]
    """Class -> probability in 0..1, given that the clip belongs to one of the classes; they sum to 1.

    Of a model of several labels per clip they are independent.
    """
    start: float = 0.0
    """Start of the part that was embedded, in seconds from the recording's beginning."""
    stop: float = 0.0
    """End of the part that was embedded, in seconds from the recording's beginning."""
    in_support: bool = False
    """Whether the clip is one of the sounds that the classifier was fitted on, by its digest."""
    clip_seconds: float = 0.0
    """Length of the whole clip in seconds, also where only a part was embedded; 0 for arrays and windows."""
    silent: bool = False
    """Whether the clip is silent. The answer to a silent clip means nothing."""
    labels: tuple[Value, ...] | None = None
    """Classes that reach their thresholds, the most probable first; None: the model has one label per clip."""

    @property
    def named(self) -> tuple[Value, ...]:
        """Classes that the clip is given; none if it was rejected."""
        if self.labels is not None:
            return self.labels
        return (self.label,) if self.label in self.probabilities else ()

    @property
    def words(self) -> str:
        """The label as text; "none of the classes" where there is none of several."""
        return str(self.label) if self.labels != () else "none of the classes"

    @property
    def probability(self) -> float:
        """Probability of the most probable class."""
        return max(self.probabilities.values())


def answers(
    sounds: Sequence[Sound], logits: NDArray[np.float32], model: Model, reject_label: Value, *, seconds: float
) -> Iterator[Answer]:
    """Answer every clip from its logits.

    Args:
        sounds: the clips.
        logits: shape (clips, classes).
        model: the fitted model that scored the clips.
        reject_label: label of rejected clips; None: no clip is rejected.
        seconds: length of the backbone's input.

    Yields:
        One answer per clip, in the order of ``sounds``.
    """
    rows = zip(sounds, logits.argmax(1), model.probabilities(logits), model.is_known(logits), strict=True)
    for sound, best, probabilities, known in rows:
        turned_away = not known or (sound.is_silent and reject_label is not None)
        label = reject_label if turned_away else model.classes.labels[best]
        shares = dict(zip(model.classes.labels, probabilities.tolist(), strict=True))
        labels = None
        if model.several is not None:
            reached = dict(zip(shares, model.several.thresholds, strict=True)) if not sound.is_silent else {}
            labels = tuple(
                sorted((own for own in reached if shares[own] >= reached[own]), key=lambda own: -shares[own])
            )
            label = SEPARATOR.join(map(str, labels))
        stop = sound.start + seconds if sound.stop is None else sound.stop
        known_already = sound.digest in model.all_digests
        yield Answer(
            sound.name, label, shares, sound.start, stop, known_already, sound.seconds, sound.is_silent, labels
        )
