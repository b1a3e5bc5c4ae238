"""Decoding of clips, from files or arrays, to waveforms of one length."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import SILENT
from mgcl.audio.decoding import opened
from mgcl.audio.excerpt import crop_start, excerpt, fit_length
from mgcl.classifier.given import Clip, Samples, Stretch
from mgcl.classifier.stretches import REST, decoded_blocks
from mgcl.classifier.stretches import cut as cut_windows
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
    parts: Callable[[], Iterator[NDArray[np.float32]]] | None = None
    """Decodes the windows of the whole clip, each of shape (samples,); None: the waveform alone is taken."""

    @property
    def is_silent(self) -> bool:
        """Whether the peak of the waveform, or of all of a clip's parts, is more than 80 dB below full scale."""
        silent = float(np.abs(self.waveform).max()) < SILENT
        rest = self.parts() if silent and self.parts else iter(())
        return silent and all(float(np.abs(part).max()) < SILENT for part in rest)


def read(
    given: Iterable[Clip],
    *,
    sample_rate: int,
    seconds: float,
    array_rate: int | None = None,
    channels: str = "average",
    whole: bool = False,
) -> Iterator[Sound | DataError]:
    """Decode, resample, and loop or crop clips to one length, lazily.

    Args:
        given: clips as ``mgcl.classifier.given.clips`` returns them.
        sample_rate: sample rate of the result, in Hz.
        seconds: length of the result. Longer clips are cropped: a file at a place that depends on its name, an array at
            a place that depends on its length.
        array_rate: sample rate of arrays that come without one, in Hz; None: ``sample_rate``.
        channels: how several channels of a file become one: one of ``mgcl.audio.CHANNELS``.
        whole: whether longer clips have ``parts``, windows that cover all of them.

    Yields:
        One sound per clip, in their order; for a clip that cannot be decoded its DataError instead.
    """
    for number, each in enumerate(given):
        try:
            if isinstance(each, Samples):
                yield _of_samples(f"array {number}", each, sample_rate, seconds, array_rate, whole)
            else:
                yield _of_file(each, sample_rate, seconds, channels, whole)
        except DataError as error:
            yield error


def _of_file(clip: str | Path | Stretch, sample_rate: int, seconds: float, channels: str, whole: bool) -> Sound:
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
    sound = Sound(name, cut.waveform, cut.start, cut.stop, cut.seconds, digest)
    if not whole or cut.seconds <= (1 + REST) * seconds:
        return sound
    blocks = partial(decoded_blocks, path, sample_rate, channels, start=start, end=end)
    return replace(sound, start=start, stop=start + cut.seconds, parts=partial(_parts, blocks, len(cut.waveform)))


def _of_samples(
    name: str, clip: Samples, sample_rate: int, seconds: float, array_rate: int | None, whole: bool
) -> Sound:
    samples = soxr.resample(clip.waveform, clip.sample_rate or array_rate or sample_rate, sample_rate)
    if not len(samples):
        raise DataError(f"{name}: holds too few samples to resample; leave it out")
    length = round(seconds * sample_rate)
    waveform = np.ascontiguousarray(fit_length(samples, length, clip_id=""))
    start = crop_start(len(samples), length, "") / sample_rate
    stop = start + min(len(samples), length) / sample_rate
    sound = Sound(name, waveform, start, stop, digest=hashlib.sha256(clip.waveform.tobytes()).hexdigest())
    if not whole or len(samples) <= (1 + REST) * length:
        return sound
    blocks = partial(iter, [samples])
    return replace(sound, start=0.0, stop=len(samples) / sample_rate, parts=partial(_parts, blocks, length))


def _parts(blocks: Callable[[], Iterator[NDArray[np.float32]]], length: int) -> Iterator[NDArray[np.float32]]:
    """Windows of ``length`` samples, side by side, that cover all of a clip that is longer than one."""
    return (np.ascontiguousarray(samples) for samples, _ in cut_windows(blocks(), length=length, step=length))


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
