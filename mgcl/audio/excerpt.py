"""A clip as a backbone wants it: one channel, its sample rate, its length."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import cancelled
from mgcl.audio.decoding import opened
from mgcl.audio.recording import Recording
from mgcl.errors import DataError
from mgcl.seeding import generator

__all__ = [
    "Excerpt",
    "audible_clip",
    "crop_start",
    "duration",
    "excerpt",
    "fit_length",
    "load_clip",
]


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The part of a file that a backbone is given."""

    waveform: NDArray[np.float32]
    """Shape (samples,)."""
    start: float
    """Seconds into the file where it begins."""
    stop: float
    """Seconds into the file where it ends, before it is repeated."""
    seconds: float
    """Length of the file, or of the stretch of it that the clip is."""
    fault: DataError | None
    """Set where the channels cancelled when they were averaged: the waveform is what they left."""

    def audible(self) -> "Excerpt":
        """The excerpt, where it is what the file sounds like.

        Raises:
            DataError: the channels cancelled.
        """
        if self.fault:
            raise self.fault
        return self


def load_clip(
    path: Path, *, clip_id: str, sample_rate: int, seconds: float, channels: str = "average"
) -> NDArray[np.float32]:
    """Decode a file, mix its channels, resample, and tile or crop it to one length.

    Args:
        path: of a format that ``mgcl.audio.formats`` lists.
        clip_id: seeds the place of a crop, so that it is the same in every run.
        sample_rate: in Hz.
        seconds: of the result; a shorter clip is repeated.
        channels: how one is made of several: one of ``mgcl.audio.CHANNELS``.

    Returns:
        Shape (samples,), in -1..1 as the file has them.

    Raises:
        DataError: the file cannot be decoded, is cut short, or holds too few samples; names it.
    """
    with opened(path) as recording:
        return excerpt(recording, clip_id=clip_id, sample_rate=sample_rate, seconds=seconds, channels=channels).waveform


def audible_clip(
    path: Path, *, clip_id: str, sample_rate: int, seconds: float, channels: str = "average"
) -> NDArray[np.float32]:
    """Do as ``load_clip``, for a backbone: channels that cancel are no silence, but a fault.

    Raises:
        DataError: as ``load_clip``, or the channels cancel where they are averaged.
    """
    with opened(path) as recording:
        cut = excerpt(recording, clip_id=clip_id, sample_rate=sample_rate, seconds=seconds, channels=channels)
    return cut.audible().waveform


def excerpt(
    recording: Recording,
    *,
    clip_id: str,
    sample_rate: int,
    seconds: float,
    channels: str = "average",
    start: float = 0.0,
    end: float | None = None,
) -> Excerpt:
    """Do as ``load_clip`` with an open file; tell where in it the waveform lies.

    Args:
        recording: open.
        clip_id: as in ``load_clip``.
        sample_rate: as in ``load_clip``.
        seconds: as in ``load_clip``.
        channels: as in ``load_clip``.
        start: of the stretch that the clip is, in seconds.
        end: of the stretch, in seconds; None: the file's end.

    Raises:
        DataError: as ``load_clip``, or the stretch lies beyond the file's end.
    """
    rate, path = recording.sample_rate, recording.path
    first, last = round(start * rate), _last(recording, start, end)
    count = min(last - first, math.ceil(2 * seconds * rate))  # no more is decoded of an hour
    begin = first
    if count < last - first:
        begin += int(generator("stretch", clip_id).integers(last - first - count + 1))
    samples = recording.read(begin, count)
    mono = recording.one_channel(channels)(samples)
    fault = cancelled(samples, path) if channels == "average" else None
    if rate != sample_rate and len(mono):
        mono = soxr.resample(mono, rate, sample_rate)
    if not len(mono):
        raise DataError(f"{path}: holds no samples, or too few to resample; leave it out")
    length = round(seconds * sample_rate)
    cut = begin / rate + crop_start(len(mono), length, clip_id) / sample_rate
    stop = cut + min(len(mono), length) / sample_rate
    return Excerpt(fit_length(mono, length, clip_id=clip_id), cut, stop, (last - first) / rate, fault)


def _last(recording: Recording, start: float, end: float | None) -> int:
    """The frame at which a stretch ends."""
    if end is None:
        return recording.frames
    last = round(end * recording.sample_rate)
    if last > recording.frames + recording.sample_rate // 100:
        raise DataError(
            f"{recording.path}: lasts {recording.seconds:g} s, and its stretch of {start:g} to {end:g} s ends later"
        )
    return min(last, recording.frames)


def fit_length(samples: NDArray[np.float32], length: int, *, clip_id: str) -> NDArray[np.float32]:
    """Loop samples that are too few; of too many, keep a stretch that depends on the clip's id alone."""
    if len(samples) < length:
        return np.resize(samples, length)
    start = crop_start(len(samples), length, clip_id)
    return samples[start : start + length]


def crop_start(samples: int, length: int, clip_id: str) -> int:
    """The sample that ``fit_length`` starts at."""
    return int(generator("crop", clip_id).integers(samples - length + 1)) if samples >= length else 0


def duration(path: Path) -> float:
    """Length of a file, in seconds.

    Raises:
        DataError: the file cannot be decoded; names it.
    """
    with opened(path) as recording:
        return recording.seconds
