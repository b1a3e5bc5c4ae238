"""Captions from EfficientAT's tags: a sentence of its three best labels of AudioSet.

A tag may be the name of the clip's class, although it comes from the audio alone. `mgcl caption` prints the share of
such captions.
"""

from collections.abc import Sequence

import torch

from mgcl.backbones.efficientat import EfficientAt
from mgcl.backbones.efficientat import load as load_tagger
from mgcl.captioners.captioner import waveforms
from mgcl.data.dataset import AudioFile

_TAGS = 3


class TagCaptioner:
    """Captioner that names the labels with the highest scores of a tagger."""

    def __init__(self, tagger: EfficientAt) -> None:
        self._tagger = tagger

    def caption(self, files: Sequence[AudioFile]) -> list[str]:
        """Return "the sound of X, with Y and Z", the best label first.

        Raises:
            DataError: a file cannot be decoded; names it.
        """
        clips = waveforms(files, sample_rate=self._tagger.sample_rate, seconds=self._tagger.seconds)
        scores = self._tagger.scores(torch.from_numpy(clips))
        return [_sentence([self._tagger.labels[row] for row in rows]) for rows in scores.topk(_TAGS).indices.tolist()]


def load(model: str | None = None, device: str = "cpu") -> TagCaptioner:
    """Load the tagger.

    Args:
        model: weights of the tagger, as the backbone efficientat takes them.
        device: a torch device.

    Raises:
        BackboneError: the weights are missing, or are not EfficientAT's.
    """
    return TagCaptioner(load_tagger(model, device))


def _sentence(tags: Sequence[str]) -> str:
    """Make a sentence of three tags.

    >>> _sentence(["Bark", "Dog", "Speech"])
    'the sound of bark, with dog and speech'
    """
    first, second, third = (tag.lower() for tag in tags)
    return f"the sound of {first}, with {second} and {third}"
