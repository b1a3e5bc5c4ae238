"""Decoding of clips, from files or arrays, to waveforms of one length."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import SILENT
from mgcl.audio.decoding import opened
from mgcl.audio.excerpt import crop_start, excerpt, fit_length
from mgcl.classifier.given import Clip, Samples, Stretch
from mgcl.errors import DataError
from mgcl.files import as_text


@dataclass(frozen=True, eq=False)
class Sound:
    """One clip as the backbone's input."""

    name: str
    """Path of the clip; for an array, its number."""
    waveform: NDArray[np.float32]
    """Samples of one channel, shape (samples,)."""
    start: float = 0.0
    """Start of the waveform, in seconds from the beginning of the recording or the array."""
    stop: float | None = None
    """End of the waveform before looping, in seconds from the same beginning; None for a window: start plus length."""
    seconds: float = 0.0
    """Length of the whole clip in seconds, of which the waveform may be a part; 0 for arrays and windows."""
    digest: str = ""
    """SHA-256 of the file or the array, equal for one sound under two names; empty for windows."""

    @property
    def is_silent(self) -> bool:
        """Whether the waveform's peak is more than 80 dB below full scale."""
        return float(np.abs(self.waveform).max()) < SILENT


def read(
    given: Iterable[Clip],
    *,
    sample_rate: int,
    seconds: float,
    array_rate: int | None = None,
    channels: str = "average",
) -> Iterator[Sound | DataError]:
    """Decode, resample, and loop or crop clips to one length, lazily.

    Args:
        given: clips as ``mgcl.classifier.given.clips`` returns them.
        sample_rate: sample rate of the result, in Hz.
        seconds: length of the result. Longer clips are cropped: a file at a place that depends on its name, an array at
            a place that depends on its length.
        array_rate: sample rate of arrays that come without one, in Hz; None: ``sample_rate``.
        channels: how several channels of a file become one: one of ``mgcl.audio.CHANNELS``.

    Yields:
        One sound per clip, in their order; for a clip that cannot be decoded its DataError instead.
    """
    for number, each in enumerate(given):
        try:
            if isinstance(each, Samples):
                yield _of_samples(f"array {number}", each, sample_rate, seconds, array_rate)
            else:
                yield _of_file(each, sample_rate, seconds, channels)
        except DataError as error:
            yield error


def _of_file(clip: str | Path | Stretch, sample_rate: int, seconds: float, channels: str) -> Sound:
    if isinstance(clip, Stretch):
        path, start, end = Path(clip.path), clip.start, clip.end
        name = f"{as_text(str(clip.path))} {clip.start:g}-{clip.end:g} s"
        clip_id = Path(name).name
    else:
        path, start, end, name = Path(clip), 0.0, None, as_text(str(clip))
        clip_id = path.stem
    with opened(path) as recording:
        cut = excerpt(
            recording,
            clip_id=clip_id,
            sample_rate=sample_rate,
            seconds=seconds,
            channels=channels,
            start=start,
            end=end,
        ).audible()
        digest = recording.digest()
    if isinstance(clip, Stretch):
        digest = hashlib.sha256(f"{digest} {(start, end)}".encode()).hexdigest()
    return Sound(name, cut.waveform, cut.start, cut.stop, cut.seconds, digest)


def _of_samples(name: str, clip: Samples, sample_rate: int, seconds: float, array_rate: int | None) -> Sound:
    samples = soxr.resample(clip.waveform, clip.sample_rate or array_rate or sample_rate, sample_rate)
    if not len(samples):
        raise DataError(f"{name}: holds too few samples to resample; leave it out")
    length = round(seconds * sample_rate)
    waveform = np.ascontiguousarray(fit_length(samples, length, clip_id=""))
    start = crop_start(len(samples), length, "") / sample_rate
    stop = start + min(len(samples), length) / sample_rate
    return Sound(name, waveform, start, stop, digest=hashlib.sha256(clip.waveform.tobytes()).hexdigest())


_Decoded = TypeVar("_Decoded")


def decoded(given: _Decoded | DataError) -> _Decoded:
    """Return a sound, or the answer to one, unless it is an error.

    Raises:
        DataError: the sound could not be decoded; this is the given error.
    """
    if isinstance(given, DataError):
        raise given
    return given


def all_decoded(sounds: Iterable[Sound | DataError]) -> list[Sound]:
    """Collect sounds, all of which must have been decoded.

    Raises:
        DataError: some could not be decoded; lists the reasons.
    """
    found = list(sounds)
    if wrong := [str(each) for each in found if isinstance(each, DataError)]:
        raise DataError("; ".join(wrong))
    return [decoded(each) for each in found]
