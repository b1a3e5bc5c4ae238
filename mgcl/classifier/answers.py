"""What is answered for one clip, or for one window of a long recording."""

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
    """One of the classes, or what stands for none of them: that silence is, where there is such a label."""
    probabilities: dict[Value, float]
    """Of each class, given that it is one of them; in 0..1, their sum 1."""
    start: float = 0.0
    """Seconds into the recording, where what was answered begins."""
    stop: float = 0.0
    """Seconds into the recording, where it ends."""
    in_support: bool = False
    """Whether it is one of the very sounds that the classifier was fitted on."""
    clip_seconds: float = 0.0
    """Of the whole clip, of which a stretch was heard; 0 of an array and of a window."""
    silent: bool = False
    """Whether nothing is to be heard: then the answer means nothing."""

    @property
    def probability(self) -> float:
        """Of the most probable class."""
        return max(self.probabilities.values())


def answers(
    sounds: Sequence[Sound], logits: NDArray[np.float32], model: Model, none_label: Value, *, seconds: float
) -> Iterator[Answer]:
    """One a clip, from its logits; ``seconds``: of what the backbone is given."""
    rows = zip(sounds, logits.argmax(1), model.probabilities(logits), model.is_known(logits), strict=True)
    for sound, best, probabilities, known in rows:
        turned_away = not known or (sound.is_silent and none_label is not None)
        label = none_label if turned_away else model.classes.labels[best]
        shares = dict(zip(model.classes.labels, probabilities.tolist(), strict=True))
        stop = sound.start + seconds if sound.stop is None else sound.stop
        known_already = sound.digest in model.examples.digests
        yield Answer(sound.name, label, shares, sound.start, stop, known_already, sound.seconds, sound.is_silent)
