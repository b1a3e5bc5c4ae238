"""Windows of a long recording, decoded as a stream: memory does not grow with the recording's length."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import Levels
from mgcl.audio.decoding import opened
from mgcl.audio.excerpt import fit_length
from mgcl.classifier.sounds import Sound
from mgcl.errors import ClassifierError, DataError

_REST = 0.01
"""Share of a window. A rest of at most this share at the recording's end gets no window of its own."""


def windows(
    path: Path, *, every: float, sample_rate: int, seconds: float, channels: str = "average"
) -> Iterator[Sound]:
    """Cut a recording into windows of one length, from its beginning to its end.

    The last window ends where the recording ends, so that nothing is left out. A recording that is shorter than a
    window is looped.

    Args:
        path: audio file, of a format that ``mgcl.audio.formats`` lists.
        every: seconds from one window's start to the next, > 0.
        sample_rate: sample rate of the windows, in Hz.
        seconds: length of a window.
        channels: how several channels become one: one of ``mgcl.audio.CHANNELS``.

    Raises:
        ClassifierError: ``every`` is not positive.
        DataError: the file cannot be decoded, is cut short, or its channels cancel each other; names it.
    """
    if not 0 < every < float("inf"):
        raise ClassifierError(f"every must be a positive number of seconds, got {every}")
    length, step = round(seconds * sample_rate), max(1, round(every * sample_rate))
    held, first, at = np.empty(0, np.float32), 0, 0  # first: index of held[0]; at: start of the next window
    for block in _blocks(path, sample_rate, channels):
        held = np.concatenate([held, block])
        while at + length <= first + len(held):
            yield _window(path, held[at - first :][:length], at, sample_rate)
            at += step
        kept = max(0, min(at, first + len(held) - length) - first)  # the last window may reach back
        held, first = held[kept:], first + kept
    end = first + len(held)
    if not end:
        raise DataError(f"{path}: holds no samples; leave it out")
    if end < length:
        yield _window(path, fit_length(held, length, clip_id=""), 0, sample_rate)
    elif end - (at - step + length) > _REST * length:
        yield _window(path, held[-length:], end - length, sample_rate)


def _window(path: Path, samples: NDArray[np.float32], start: int, sample_rate: int) -> Sound:
    return Sound(str(path), np.ascontiguousarray(samples), start=start / sample_rate)


def _blocks(path: Path, sample_rate: int, channels: str) -> Iterator[NDArray[np.float32]]:
    """Decode the recording block by block, mixed to one channel and resampled to ``sample_rate``."""
    levels = Levels()
    with opened(path) as recording:
        resampler = soxr.ResampleStream(recording.sample_rate, sample_rate, 1, dtype="float32")
        mix = recording.one_channel(channels)
        for block in recording.blocks():
            levels.add(block)
            if channels == "average" and levels.fault:
                raise DataError(f"{path}: {levels.fault}")
            yield resampler.resample_chunk(mix(block))
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
