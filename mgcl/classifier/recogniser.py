"""A fitted model with its backbone: what it answers to sounds, and why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mgcl.backbones.backbone import Backbone
from mgcl.classifier.answers import Answer, answers
from mgcl.classifier.hearing import hear
from mgcl.classifier.model import Model
from mgcl.classifier.reasons import Reasons, reasons
from mgcl.classifier.recording import windows
from mgcl.classifier.sounds import Sound, whole
from mgcl.errors import DataError
from mgcl.extraction.plan import BATCH
from mgcl.records import Value

Captions = Sequence[str] | None
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Recogniser:
    """Hears clips in batches, and no more of them at once. ``captions`` are as many as there are sounds."""

    model: Model
    ear: Backbone
    none_label: Value

    def logits(self, sounds: Iterator[Sound | DataError], captions: Captions) -> NDArray[np.float32]:
        """Shape (clips, classes).

        Raises:
            DataError: a sound could not be decoded.
        """
        said = iter(captions or ())
        scored = (
            self._scored(batch, captions and list(islice(said, len(batch)))) for batch in _batches(map(whole, sounds))
        )
        return np.concatenate(list(scored))

    def answers(self, sounds: Iterator[Sound | DataError], captions: Captions) -> Iterator[Answer | DataError]:
        """One a sound, in their order, or what is wrong with it."""
        said = iter(captions or ())
        for batch in _batches(sounds):
            own = captions and [next(said) for _ in batch]
            yield from self._answered(batch, own)

    def windows(self, path: Path, *, every: float, channels: str) -> Iterator[Answer | DataError]:
        """One every so many seconds of a recording."""
        rate, seconds = self.ear.sample_rate, self.ear.seconds
        sounds = windows(path, every=every, sample_rate=rate, seconds=seconds, channels=channels)
        for batch in _batches(sounds):
            yield from self._answered(batch, None)

    def explain(self, sound: Sound, caption: str | None) -> Reasons:
        """Why the answer to a sound is what it is."""
        clip, said = hear([sound], self.ear, None if caption is None else [caption], self.model.choices)
        (answer,) = answers([sound], self.model.logits(clip), self.model, self.none_label, seconds=self.ear.seconds)
        seconds = self.ear.segment_seconds
        return reasons(answer, clip, said[0] if said else None, self.model, segment_seconds=seconds)

    def _answered(self, batch: Sequence[Sound | DataError], captions: Captions) -> Iterator[Answer | DataError]:
        kept = [row for row, each in enumerate(batch) if isinstance(each, Sound)]
        sounds = [whole(batch[row]) for row in kept]
        if not sounds:
            yield from (each for each in batch if isinstance(each, DataError))
            return
        scores = self._scored(sounds, captions and [captions[row] for row in kept])
        found = answers(sounds, scores, self.model, self.none_label, seconds=self.ear.seconds)
        for each in batch:
            yield next(found) if isinstance(each, Sound) else each

    def _scored(self, sounds: Sequence[Sound], captions: Captions) -> NDArray[np.float32]:
        clips, _ = hear(sounds, self.ear, captions, self.model.choices)
        return self.model.logits(clips)


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    items = iter(items)
    while batch := list(islice(items, BATCH)):
        yield batch
