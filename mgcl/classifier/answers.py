"""The answer to one clip, or to one window of a long recording."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.classifier.model import Model
from mgcl.classifier.sounds import Sound
from mgcl.records import Value


@dataclass(frozen=True)
class Answer:
    """One label with its probabilities."""

    clip: str
    label: Value
    """One of the classes, or the reject label: that silence gets, where there is such a label."""
    probabilities: dict[Value, float]
    """Class -> its probability, given that the clip is of one of them; in 0..1, their sum 1."""
    start: float = 0.0
    """Seconds into the recording, where the part that was embedded begins."""
    stop: float = 0.0
    """Seconds into the recording, where that part ends."""
    in_support: bool = False
    """Whether the clip is one of the very sounds that the classifier was fitted on."""
    clip_seconds: float = 0.0
    """Length of the whole clip, of which a part was embedded; 0 of an array and of a window."""
    silent: bool = False
    """Whether the clip is silent: then the answer means nothing."""

    @property
    def probability(self) -> float:
        """Probability of the most probable class."""
        return max(self.probabilities.values())


def answers(
    sounds: Sequence[Sound], logits: NDArray[np.float32], model: Model, reject_label: Value, *, seconds: float
) -> Iterator[Answer]:
    """One answer per clip, from its logits; ``seconds``: length of what the backbone is given."""
    rows = zip(sounds, logits.argmax(1), model.probabilities(logits), model.is_known(logits), strict=True)
    for sound, best, probabilities, known in rows:
        turned_away = not known or (sound.is_silent and reject_label is not None)
        label = reject_label if turned_away else model.classes.labels[best]
        shares = dict(zip(model.classes.labels, probabilities.tolist(), strict=True))
        stop = sound.start + seconds if sound.stop is None else sound.stop
        known_already = sound.digest in model.examples.digests
        yield Answer(sound.name, label, shares, sound.start, stop, known_already, sound.seconds, sound.is_silent)
