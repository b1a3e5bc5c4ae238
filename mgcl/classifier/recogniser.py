"""A fitted model with its backbone: answers sounds and explains the answers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.backbones.backbone import Aligning, Backbone
from mgcl.classifier.answers import Answer, answers
from mgcl.classifier.arguments import Captions
from mgcl.classifier.embedding import embedded
from mgcl.classifier.model import Model
from mgcl.classifier.reasons import Reasons, reasons
from mgcl.classifier.sounds import Sound, decoded
from mgcl.classifier.stretches import Samples
from mgcl.classifier.windows import windows, windows_of
from mgcl.errors import DataError
from mgcl.extraction.plan import BATCH
from mgcl.records import Value

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Recogniser:
    """Answers sounds batch by batch, with at most one batch in memory. ``captions`` hold one caption per sound."""

    model: Model
    backbone: Backbone
    reject_label: Value

    def logits(self, sounds: Iterator[Sound | DataError], captions: Captions) -> NDArray[np.float32]:
        """Logits of the sounds, shape (clips, classes).

        Raises:
            DataError: a sound could not be decoded.
        """
        texts = iter(captions or ())
        scored = (
            self._scored(batch, captions and list(islice(texts, len(batch))))
            for batch in _batches(map(decoded, sounds))
        )
        return np.concatenate(list(scored))

    def answers(self, sounds: Iterator[Sound | DataError], captions: Captions) -> Iterator[Answer | DataError]:
        """Answer the sounds in their order; a sound that could not be decoded yields its DataError."""
        texts = iter(captions or ())
        for batch in _batches(sounds):
            own = captions and [next(texts) for _ in batch]
            yield from self._answered(batch, own)

    def windows(self, path: Path, *, every: float, length: float | None, channels: str) -> Iterator[Answer | DataError]:
        """Answer the windows of a recording, one every ``every`` seconds; see ``mgcl.classifier.windows``."""
        rate, seconds = self.backbone.sample_rate, self.backbone.seconds
        sounds = windows(path, every=every, sample_rate=rate, seconds=seconds, length=length, channels=channels)
        for batch in _batches(sounds):
            yield from self._answered(batch, None)

    def live(self, blocks: Iterator[Samples], *, every: float, length: float | None) -> Iterator[Answer]:
        """Answer the windows of samples that arrive, each as soon as it is complete."""
        rate, seconds = self.backbone.sample_rate, self.backbone.seconds
        for sound in windows_of(blocks, "live", every=every, sample_rate=rate, seconds=seconds, length=length):
            yield from self._answers([sound], self._scored([sound], None))

    def explain(self, sound: Sound, caption: str | None) -> Reasons:
        """Reasons for the answer to one sound."""
        own = None if caption is None else [caption]
        clip, captions = embedded([sound], self.backbone, own, self.model.choices)
        (answer,) = self._answers([sound], self.model.logits(clip))
        seconds = self.backbone.segment_seconds
        found = reasons(answer, clip, captions[0] if captions else None, self.model, segment_seconds=seconds)
        sentence = found.strongest_sentence
        if sentence is None or not isinstance(self.backbone, Aligning):
            return found
        return replace(found, alignment=self.backbone.align(torch.from_numpy(sound.waveform), sentence))

    def _answered(self, batch: Sequence[Sound | DataError], captions: Captions) -> Iterator[Answer | DataError]:
        kept = [row for row, each in enumerate(batch) if isinstance(each, Sound)]
        sounds = [decoded(batch[row]) for row in kept]
        if not sounds:
            yield from (each for each in batch if isinstance(each, DataError))
            return
        found = self._answers(sounds, self._scored(sounds, captions and [captions[row] for row in kept]))
        for each in batch:
            yield next(found) if isinstance(each, Sound) else each

    def _answers(self, sounds: Sequence[Sound], logits: NDArray[np.float32]) -> Iterator[Answer]:
        return answers(sounds, logits, self.model, self.reject_label, seconds=self.backbone.seconds)

    def _scored(self, sounds: Sequence[Sound], captions: Captions) -> NDArray[np.float32]:
        """Logits of the sounds; those of a sound with parts are the means over its parts."""
        clips, _ = embedded(sounds, self.backbone, captions, self.model.choices)
        found = self.model.logits(clips)
        for row, sound in enumerate(sounds):
            if sound.parts:
                own = None if captions is None else captions[row]
                parts = _batches(replace(sound, waveform=part, parts=None) for part in sound.parts())
                scored = [self._scored(batch, None if own is None else [own] * len(batch)) for batch in parts]
                found[row] = np.concatenate(scored).mean(0)
        return found


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    items = iter(items)
    while batch := list(islice(items, BATCH)):
        yield batch
