"""Clips - files or arrays - as waveforms of one length."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.decoding import SILENT
from mgcl.classifier.given import Clip, Samples, Stretch
from mgcl.data.audio import crop_start, excerpt, fit_length
from mgcl.errors import DataError
from mgcl.files import as_text


@dataclass(frozen=True, eq=False)
class Sound:
    """One clip as a backbone is given it."""

    name: str
    """Its path; of an array, its number."""
    waveform: NDArray[np.float32]
    """Shape (samples,)."""
    source: Path | NDArray[np.float32] | None = None
    """What it was read from; None of a window."""
    start: float = 0.0
    """Seconds into the recording, or the array, where the waveform begins."""
    stop: float | None = None
    """Seconds into it where the waveform ends, before it is repeated; None of a window: where its length says."""
    stretch: tuple[float, float] | None = None
    """Start and end of the part of the file that the clip is, in seconds; None: all of it."""
    seconds: float = 0.0
    """Of the whole clip, of which the waveform may be a part; 0 of an array and of a window."""
    content: bytes | None = None
    """Of the source, where it was a pipe and cannot be read again."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is to be heard: its peak is 80 dB below full scale."""
        return float(np.abs(self.waveform).max()) < SILENT

    @cached_property
    def digest(self) -> str:
        """Of the file, or the array: alike for one sound under two names; empty of a window."""
        if isinstance(self.source, Path):
            with self.source.open("rb") if self.content is None else io.BytesIO(self.content) as file:
                whole_file = hashlib.file_digest(file, "sha256").hexdigest()  # bit by bit: it may be long
            return hashlib.sha256(f"{whole_file} {self.stretch}".encode()).hexdigest() if self.stretch else whole_file
        return "" if self.source is None else hashlib.sha256(self.source.tobytes()).hexdigest()


def read(
    given: Iterable[Clip],
    *,
    sample_rate: int,
    seconds: float,
    array_rate: int | None = None,
    channels: str = "average",
) -> Iterator[Sound | DataError]:
    """Decode, resample, and tile or crop each to one length, when it is asked for; or say what is wrong with it.

    Args:
        given: ``mgcl.classifier.given.clips``.
        sample_rate: of the result, in Hz.
        seconds: of the result. What is longer is cropped: a file at a place that depends on its name, an array on its
            length.
        array_rate: of arrays that come without, in Hz; None: ``sample_rate``.
        channels: how one is made of a file's several: of ``mgcl.audio.CHANNELS``.
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
        path, bounds = Path(clip.path), (clip.start, clip.end)
        name = f"{as_text(str(clip.path))} {clip.start:g}-{clip.end:g} s"
        clip_id = Path(name).name
    else:
        path, bounds, name = Path(clip), None, as_text(str(clip))
        clip_id = path.stem
    start, end = bounds or (0.0, None)
    heard = excerpt(
        path, clip_id=clip_id, sample_rate=sample_rate, seconds=seconds, channels=channels, start=start, end=end
    ).sound()
    return Sound(name, heard.waveform, path, heard.start, heard.stop, bounds, heard.seconds, heard.content)


def _of_samples(name: str, clip: Samples, sample_rate: int, seconds: float, array_rate: int | None) -> Sound:
    samples = soxr.resample(clip.waveform, clip.sample_rate or array_rate or sample_rate, sample_rate)
    if not len(samples):
        raise DataError(f"{name}: holds too few samples to resample; leave it out")
    length = round(seconds * sample_rate)
    waveform = np.ascontiguousarray(fit_length(samples, length, clip_id=""))
    start = crop_start(len(samples), length, "") / sample_rate
    return Sound(name, waveform, clip.waveform, start, start + min(len(samples), length) / sample_rate)


_Heard = TypeVar("_Heard")


def whole(heard: _Heard | DataError) -> _Heard:
    """A sound that could be decoded, or the answer to one.

    Raises:
        DataError: it could not.
    """
    if isinstance(heard, DataError):
        raise heard
    return heard


def all_whole(sounds: Iterable[Sound | DataError]) -> list[Sound]:
    """Sounds that could all be decoded.

    Raises:
        DataError: some could not; says why of each.
    """
    found = list(sounds)
    if wrong := [str(each) for each in found if isinstance(each, DataError)]:
        raise DataError("; ".join(wrong))
    return [whole(each) for each in found]
