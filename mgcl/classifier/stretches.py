"""Windows of a recording's samples, decoded as a stream: memory does not grow with the recording's length."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import Levels
from mgcl.audio.decoding import opened
from mgcl.errors import DataError

Samples = NDArray[np.float32]
REST = 0.01
"""Share of a window. A rest of at most this share at the end gets no window of its own."""


def cut(blocks: Iterator[Samples], *, length: int, step: int) -> Iterator[tuple[Samples, int]]:
    """Cut samples that come in blocks into windows, from their beginning to their end.

    The last window ends where the samples end, so that nothing is left out. Fewer samples than a window are one short
    window; without samples there is none.

    Args:
        blocks: samples, each block of shape (samples,).
        length: samples per window.
        step: samples from one window's start to the next.

    Yields:
        The samples of a window, and the index of the first.
    """
    held, first, at = np.empty(0, np.float32), 0, 0  # first: index of held[0]; at: start of the next window
    for block in blocks:
        held = np.concatenate([held, block])
        while at + length <= first + len(held):
            yield held[at - first :][:length], at
            at += step
        kept = max(0, min(at, first + len(held) - length) - first)  # the last window may reach back
        held, first = held[kept:], first + kept
    end = first + len(held)
    if 0 < end < length:
        yield held, 0
    elif end and end - (at - step + length) > REST * length:
        yield held[-length:], end - length


def decoded_blocks(
    path: Path, sample_rate: int, channels: str, *, start: float = 0.0, end: float | None = None
) -> Iterator[Samples]:
    """Decode a recording, or a stretch of it, block by block, mixed to one channel and resampled.

    Args:
        path: audio file, of a format that ``mgcl.audio.formats`` lists.
        sample_rate: sample rate of the result, in Hz.
        channels: how several channels become one: one of ``mgcl.audio.CHANNELS``.
        start: start of the stretch, in seconds.
        end: end of the stretch, in seconds; None: the file's end.

    Raises:
        DataError: the file cannot be decoded, is cut short, or its channels cancel each other; names it.
    """
    levels = Levels()
    with opened(path) as recording:
        resampler = soxr.ResampleStream(recording.sample_rate, sample_rate, 1, dtype="float32")
        mix = recording.one_channel(channels)
        first = round(start * recording.sample_rate)
        missing = (recording.frames if end is None else round(end * recording.sample_rate)) - first
        for decoded in recording.blocks(first):
            block = decoded if end is None else decoded[:missing]
            missing -= len(block)
            levels.add(block)
            if channels == "average" and levels.fault:
                raise DataError(f"{path}: {levels.fault}")
            yield resampler.resample_chunk(mix(block))
            if end is not None and missing <= 0:
                break
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def samples_of(path: Path, sample_rate: int, channels: str, *, start: float, end: float) -> Samples:
    """Decode a stretch of a recording at once, shape (samples,). Arguments and errors as in ``decoded_blocks``.

    Raises:
        DataError: also if the file holds nothing there.
    """
    samples = np.concatenate(list(decoded_blocks(path, sample_rate, channels, start=start, end=end)))
    if not len(samples):
        raise DataError(f"{path}: holds nothing from {start:g} to {end:g} s")
    return samples
