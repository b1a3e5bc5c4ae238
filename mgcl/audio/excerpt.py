"""Excerpts of recordings as a backbone's input: one channel, at its sample rate and of its length."""

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
    """The part of a file that is the backbone's input."""

    waveform: NDArray[np.float32]
    """Samples of one channel, shape (samples,)."""
    start: float
    """Start of the excerpt, in seconds from the file's beginning."""
    stop: float
    """End of the excerpt before looping, in seconds from the file's beginning."""
    seconds: float
    """Length of the clip in seconds: of the file, or of the stretch of it that is the clip."""
    fault: DataError | None
    """Error of channels that cancelled each other in their average; the waveform is then the remainder."""

    def audible(self) -> "Excerpt":
        """Return the excerpt unless its channels cancelled each other.

        Raises:
            DataError: the channels cancelled each other.
        """
        if self.fault:
            raise self.fault
        return self


def load_clip(
    path: Path,
    *,
    clip_id: str,
    sample_rate: int,
    seconds: float,
    channels: str = "average",
    short: str = "repeat",
    long: str = "random",
) -> NDArray[np.float32]:
    """Decode a file, mix its channels, resample, and loop or crop it to one length.

    Args:
        path: audio file, of a format that ``mgcl.audio.formats`` lists.
        clip_id: identifier of the clip; it seeds the place of a crop, which is the same in every run.
        sample_rate: sample rate of the result, in Hz.
        seconds: length of the result; shorter clips are looped, longer ones cropped.
        channels: how several channels become one: one of ``mgcl.audio.CHANNELS``.
        short: what fills a shorter clip: "repeat" (the clip again) or "zeros".
        long: what is taken of a longer clip: "random" (a stretch seeded by ``clip_id``) or "first" (its beginning).

    Returns:
        Samples of shape (samples,), not normalised; full scale is -1..1.

    Raises:
        DataError: the file cannot be decoded, is cut short, or holds too few samples; names it.
    """
    with opened(path) as recording:
        return excerpt(
            recording,
            clip_id=clip_id,
            sample_rate=sample_rate,
            seconds=seconds,
            channels=channels,
            short=short,
            long=long,
        ).waveform


def audible_clip(
    path: Path,
    *,
    clip_id: str,
    sample_rate: int,
    seconds: float,
    channels: str = "average",
    short: str = "repeat",
    long: str = "random",
) -> NDArray[np.float32]:
    """Decode a file like ``load_clip``, but raise an error for channels that cancel each other in their average.

    Args:
        path: as in ``load_clip``.
        clip_id: as in ``load_clip``.
        sample_rate: as in ``load_clip``.
        seconds: as in ``load_clip``.
        channels: as in ``load_clip``.
        short: as in ``load_clip``.
        long: as in ``load_clip``.

    Raises:
        DataError: as in ``load_clip``, or the channels cancel each other.
    """
    with opened(path) as recording:
        cut = excerpt(
            recording,
            clip_id=clip_id,
            sample_rate=sample_rate,
            seconds=seconds,
            channels=channels,
            short=short,
            long=long,
        )
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
    short: str = "repeat",
    long: str = "random",
) -> Excerpt:
    """Cut an excerpt from an open recording, like ``load_clip``, and return it with its place in the file.

    Args:
        recording: an open recording.
        clip_id: as in ``load_clip``.
        sample_rate: as in ``load_clip``.
        seconds: as in ``load_clip``.
        channels: as in ``load_clip``.
        start: start of the stretch that is the clip, in seconds.
        end: end of the stretch, in seconds; None: the file's end.
        short: as in ``load_clip``.
        long: as in ``load_clip``.

    Raises:
        DataError: as in ``load_clip``, or the stretch begins or ends after the file.
    """
    rate, path = recording.sample_rate, recording.path
    first, last = round(start * rate), _last(recording, start, end)
    count = min(last - first, math.ceil(2 * seconds * rate))  # so that only a part of a long recording is decoded
    begin = first
    if count < last - first and long == "random":
        begin += int(generator("stretch", clip_id).integers(last - first - count + 1))
    samples = recording.read(begin, count)
    mono = recording.one_channel(channels)(samples)
    fault = cancelled(samples, path) if channels == "average" else None
    if rate != sample_rate and len(mono):
        mono = soxr.resample(mono, rate, sample_rate)
    if not len(mono):
        raise DataError(f"{path}: holds no samples, or too few to resample; leave it out")
    length = round(seconds * sample_rate)
    if long == "first":
        mono = mono[:length]
    cut = begin / rate + crop_start(len(mono), length, clip_id) / sample_rate
    stop = cut + min(len(mono), length) / sample_rate
    fitted = fit_length(mono, length, clip_id=clip_id, short=short)
    return Excerpt(fitted, cut, stop, (last - first) / rate, fault)


def _last(recording: Recording, start: float, end: float | None) -> int:
    """Index of the frame at which a stretch ends.

    Raises:
        DataError: the stretch begins or ends after the file.
    """
    if start and round(start * recording.sample_rate) >= recording.frames:
        raise DataError(
            f"{recording.path}: lasts {recording.seconds:g} s, and its stretch begins at {start:g} s; mend the times, "
            "or leave it out"
        )
    if end is None:
        return recording.frames
    last = round(end * recording.sample_rate)
    if last > recording.frames + recording.sample_rate // 100:
        raise DataError(
            f"{recording.path}: lasts {recording.seconds:g} s, and its stretch of {start:g} to {end:g} s ends later; "
            "mend the times, or leave it out"
        )
    return min(last, recording.frames)


def fit_length(
    samples: NDArray[np.float32], length: int, *, clip_id: str, short: str = "repeat"
) -> NDArray[np.float32]:
    """Fill or crop samples to a length.

    Args:
        samples: shape (samples,).
        length: number of samples of the result.
        clip_id: identifier of the clip; it seeds the place of a crop.
        short: what fills too few samples: "repeat" (the samples again) or "zeros".

    Returns:
        Shape (length,).
    """
    if len(samples) < length:
        return np.resize(samples, length) if short == "repeat" else np.pad(samples, (0, length - len(samples)))
    start = crop_start(len(samples), length, clip_id)
    return samples[start : start + length]


def crop_start(samples: int, length: int, clip_id: str) -> int:
    """Index of the first sample that ``fit_length`` keeps of ``samples`` samples; 0 if they are looped."""
    return int(generator("crop", clip_id).integers(samples - length + 1)) if samples >= length else 0


def duration(path: Path) -> float:
    """Length of a file, in seconds.

    Raises:
        DataError: the file cannot be decoded; names it.
    """
    with opened(path) as recording:
        return recording.seconds
