"""Windows of a long recording, decoded as a stream: memory does not grow with the recording's length."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mgcl.audio.excerpt import fit_length
from mgcl.classifier.given import LEAST_SECONDS
from mgcl.classifier.sounds import Sound
from mgcl.classifier.stretches import Samples, cut, decoded_blocks
from mgcl.errors import ClassifierError, DataError


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
    found = False
    blocks = decoded_blocks(path, sample_rate, channels)
    for window in windows_of(blocks, str(path), every=every, sample_rate=sample_rate, seconds=seconds, length=length):
        found = True
        yield window
    if not found:
        raise DataError(f"{path}: holds no samples; leave it out")


def windows_of(
    blocks: Iterator[Samples], name: str, *, every: float, sample_rate: int, seconds: float, length: float | None = None
) -> Iterator[Sound]:
    """Cut samples that come in blocks into windows, each as soon as it is complete; arguments as in ``windows``.

    Args:
        blocks: samples at ``sample_rate``, each block of shape (samples,); they may never end.
        name: name of the source.
        every: see ``windows``.
        sample_rate: see ``windows``.
        seconds: see ``windows``.
        length: see ``windows``.

    Raises:
        ClassifierError: ``every`` is not positive, or ``length`` is out of its range.
    """
    if not 0 < every < float("inf"):
        raise ClassifierError(f"every must be a positive number of seconds, got {every}")
    if length is not None and not LEAST_SECONDS <= length <= seconds:
        raise ClassifierError(f"a window has {LEAST_SECONDS:g} to {seconds:g} s, the backbone's input; got {length:g}")
    whole = round(seconds * sample_rate)
    count = whole if length is None else round(length * sample_rate)
    step = max(1, round(every * sample_rate))
    for samples, start in cut(blocks, length=count, step=step):
        waveform = np.ascontiguousarray(fit_length(samples, whole, clip_id=""))
        yield Sound(name, waveform, start / sample_rate, (start + len(samples)) / sample_rate)
