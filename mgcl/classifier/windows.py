"""Windows of a long recording, decoded as a stream: memory does not grow with the recording's length."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import Levels
from mgcl.audio.decoding import opened
from mgcl.audio.excerpt import fit_length
from mgcl.classifier.given import LEAST_SECONDS
from mgcl.classifier.sounds import Sound
from mgcl.errors import ClassifierError, DataError

_REST = 0.01
"""Share of a window. A rest of at most this share at the recording's end gets no window of its own."""


def windows(
    path: Path,
    *,
    every: float,
    sample_rate: int,
    seconds: float,
    length: float | None = None,
    channels: str = "average",
) -> Iterator[Sound]:
    """Cut a recording into windows of one length, from its beginning to its end.

    The last window ends where the recording ends, so that nothing is left out. A window that is shorter than
    ``seconds`` is looped, and so is a recording that is shorter than a window.

    Args:
        path: audio file, of a format that ``mgcl.audio.formats`` lists.
        every: seconds from one window's start to the next, > 0.
        sample_rate: sample rate of the windows, in Hz.
        seconds: length of the result, of every window.
        length: length of what a window takes of the recording, in seconds, > 0, at most ``seconds``; None: ``seconds``.
        channels: how several channels become one: one of ``mgcl.audio.CHANNELS``.

    Raises:
        ClassifierError: ``every`` is not positive, or ``length`` is out of its range.
        DataError: the file cannot be decoded, is cut short, or its channels cancel each other; names it.
    """
    if not 0 < every < float("inf"):
        raise ClassifierError(f"every must be a positive number of seconds, got {every}")
    if length is not None and not LEAST_SECONDS <= length <= seconds:
        raise ClassifierError(f"a window has {LEAST_SECONDS:g} to {seconds:g} s, the backbone's input; got {length:g}")
    whole = round(seconds * sample_rate)
    count = whole if length is None else round(length * sample_rate)
    for samples, start in _cut(path, max(1, round(every * sample_rate)), count, sample_rate, channels):
        waveform = np.ascontiguousarray(fit_length(samples, whole, clip_id=""))
        yield Sound(str(path), waveform, start / sample_rate, (start + len(samples)) / sample_rate)


def _cut(
    path: Path, step: int, length: int, sample_rate: int, channels: str
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Samples of the windows, each with the index of its first sample; ``step`` and ``length`` in samples."""
    held, first, at = np.empty(0, np.float32), 0, 0  # first: index of held[0]; at: start of the next window
    for block in _blocks(path, sample_rate, channels):
        held = np.concatenate([held, block])
        while at + length <= first + len(held):
            yield held[at - first :][:length], at
            at += step
        kept = max(0, min(at, first + len(held) - length) - first)  # the last window may reach back
        held, first = held[kept:], first + kept
    end = first + len(held)
    if not end:
        raise DataError(f"{path}: holds no samples; leave it out")
    if end < length:
        yield held, 0
    elif end - (at - step + length) > _REST * length:
        yield held[-length:], end - length


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
