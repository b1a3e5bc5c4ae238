"""The protocol of captioners, which write one sentence on what a clip sounds like.

A captioner is one module, whose ``load(model, device)`` returns its ``Captioner``.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mgcl.audio.excerpt import audible_clip
from mgcl.data.dataset import AudioFile
from mgcl.window import Window


class Captioner(Protocol):
    """Model that captions clips. The same batch gives the same captions on one machine."""

    def caption(self, files: Sequence[AudioFile]) -> list[str]:
        """Write one sentence on what each clip sounds like, from its audio alone: never from its label or name.

        Raises:
            DataError: a file cannot be decoded, or its caption is empty; names it.
        """
        ...


class CaptionerModule(Protocol):
    """The protocol of a captioner's module."""

    def load(self, model: str | None = None, device: str = "cpu") -> Captioner:
        """Load a captioner.

        Args:
            model: an id or a path; None: the captioner's default model, if it has one.
            device: a torch device.

        Raises:
            MgclError: the model is missing, or belongs to another captioner.
        """
        ...


def waveforms(files: Sequence[AudioFile], *, sample_rate: int, seconds: float) -> NDArray[np.float32]:
    """Decode clips to a captioner's length, filled or cropped as their data set's protocol says.

    Args:
        files: clips.
        sample_rate: sample rate of the result, in Hz.
        seconds: length of the result.

    Returns:
        Shape (clips, samples).

    Raises:
        DataError: a file cannot be decoded; names it.
    """
    decoded = []
    for file in files:
        window = file.window or Window(seconds)
        clip = audible_clip(
            file.path,
            clip_id=file.clip_id,
            sample_rate=sample_rate,
            seconds=seconds,
            channels=file.channels,
            short=window.short,
            long=window.long,
        )
        decoded.append(clip)
    return np.stack(decoded)
