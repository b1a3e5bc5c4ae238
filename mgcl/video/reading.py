"""Decode a video: its sound as one channel, and its frames at equal steps of time."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import cancelled
from mgcl.audio.recording import Recording
from mgcl.errors import DataError
from mgcl.video.formats import CONTAINERS

if TYPE_CHECKING:
    from av.container import InputContainer

Pixels = NDArray[np.uint8]
"""One frame, shape (height, width, 3), red, green and blue."""

_SAY_THEIR_LENGTH = ("mov", "matroska")
"""Containers whose header holds the length. For other containers FFmpeg estimates it."""
_MISSING = 0.64
"""Seconds by which a header may exceed the decoded length: some writers do not count how long the last frame lasts."""
_STILL = 3600.0
"""Seconds that one frame may be shown. Longer ones come from wrong times, which would fill the memory."""
_MEND = "fetch it again, write it again with `ffmpeg -i`, or leave it out"
_EPSILON = 1e-6


@dataclass(frozen=True)
class Steps:
    """Which frames are kept.

    Attributes:
        seconds: length of a step, in seconds.
        frames: number of frames per step, at equal distances; the first stands at the step's beginning.
        prepare: function that turns a frame into the array that is kept; all arrays have one shape.
    """

    seconds: float
    frames: int
    prepare: Callable[[Pixels], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded video.

    Attributes:
        waveform: samples of one channel, shape (samples,), full scale -1..1; None: the video has no sound.
        frames: prepared frames, shape (steps, frames per step, ...); None: the video has no picture. The frame of a
            time is the one that is shown then; after the picture's end it is the last.
        seconds: length of the longer of the two, in seconds.
        sample_rate: sample rate of the sound in the file, in Hz; 0: there is none.
        channels: number of channels of the sound in the file.
    """

    waveform: NDArray[np.float32] | None
    frames: NDArray[np.uint8] | None
    seconds: float
    sample_rate: int
    channels: int


def decode(path: Path, steps: Steps, *, sample_rate: int, channels: str = "average") -> Decoded:
    """Decode a video in one pass.

    Time 0 is where the first of its streams begins. Frames are turned as the file says. Covers, which some files have
    as a picture, do not count.

    Args:
        path: a video of a format that ``mgcl.video.formats`` lists.
        steps: frames to keep.
        sample_rate: sample rate of the waveform, in Hz.
        channels: how several channels become one: one of ``mgcl.audio.CHANNELS``.

    Raises:
        DataError: the file cannot be decoded, is cut short, has neither sound nor picture, has channels that cancel
            each other, or holds impossible samples; names it.
    """
    with _opened(path) as container:
        origin = _origin(container)
        sound, picture = _Sound(origin), _Sampled(path, steps, origin)
        for frame in _frames(container, path):
            (sound if type(frame).__name__ == "AudioFrame" else picture).add(frame)
        _refuse_cut(container, path, sound.end, picture.end)
    waveform = sound.waveform(path, sample_rate, channels)
    frames = picture.frames()
    if waveform is None and frames is None:
        raise DataError(f"{path}: has neither sound nor picture; {_MEND}")
    return Decoded(waveform, frames, max(sound.end, picture.end), sound.sample_rate, sound.channels)


def duration(path: Path) -> float:
    """Length that a video's header states, in seconds; 0: it states none.

    Raises:
        DataError: the file cannot be opened; names it.
    """
    with _opened(path) as container:
        return (container.duration or 0) / 1e6


@contextmanager
def _opened(path: Path) -> "Iterator[InputContainer]":
    import av

    if path.suffix.lower() not in CONTAINERS:
        raise DataError(f"{path}: is none of {' '.join(CONTAINERS)}; write it again as one, or leave it out")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check its name") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({_reason(error)}); {_MEND}") from None
    with file:
        if not file.read(1):
            raise DataError(f"{path}: is empty (0 bytes); {_MEND}")
        file.seek(0)
        try:
            container = av.open(file, mode="r", format=CONTAINERS[path.suffix.lower()])
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{path}: cannot be opened as a video ({_reason(error)}); {_MEND}") from None
        with container:
            yield container


def _streams(container: "InputContainer") -> list[Any]:
    """The first stream of sound and the first of moving pictures."""
    from av.stream import Disposition

    moving = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    return [*container.streams.audio[:1], *moving[:1]]


def _frames(container: "InputContainer", path: Path) -> Iterator[Any]:
    """Decode frames of sound and picture as they come."""
    there, streams = 0.0, _streams(container)
    try:
        for packet in container.demux(streams) if streams else ():
            for frame in packet.decode():
                there = max(there, getattr(frame, "time", None) or 0.0)
                yield frame
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be decoded after {there:.2f} s ({_reason(error)}); {_MEND}") from None


def _origin(container: "InputContainer") -> float:
    starts = [float(each.start_time * each.time_base) for each in _streams(container) if each.start_time is not None]
    return min(starts, default=0.0)


def _refuse_cut(container: "InputContainer", path: Path, sound: float, picture: float) -> None:
    """Refuse a video whose header states more than there is.

    Raises:
        DataError: the file is cut short.
    """
    if CONTAINERS[path.suffix.lower()] not in _SAY_THEIR_LENGTH:
        return
    promised = (container.duration or 0) / 1e6
    there = max(sound, picture)
    for stream in _streams(container):
        if stream.duration is not None:
            length, end = float(stream.duration * stream.time_base), sound if stream.type == "audio" else picture
            if length - end > max(_MISSING, promised - length):
                promised, there = length, end
    if promised - there > _MISSING:
        raise DataError(f"{path}: is cut short: {there:.2f} of {promised:.2f} s are there; {_MEND}")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


class _Sound:
    """Collects frames of sound."""

    def __init__(self, origin: float) -> None:
        self._origin, self._blocks = origin, list[NDArray[np.float32]]()
        self._resampler: Any = None
        self._start, self._samples = 0.0, 0
        self.sample_rate = 0

    @property
    def end(self) -> float:
        return self._start + self._samples / self.sample_rate if self.sample_rate else 0.0

    @property
    def channels(self) -> int:
        return self._blocks[0].shape[1] if self._blocks else 0

    def add(self, frame: Any) -> None:
        import av

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=frame.sample_rate)
            self.sample_rate = frame.sample_rate
            self._start = max(0.0, (frame.time or 0.0) - self._origin) if frame.time is not None else 0.0
        for each in self._resampler.resample(frame):
            self._blocks.append(np.ascontiguousarray(each.to_ndarray().T, np.float32))
            self._samples += len(self._blocks[-1])

    def waveform(self, path: Path, sample_rate: int, channels: str) -> NDArray[np.float32] | None:
        if not self._samples:
            return None
        samples = np.concatenate(self._blocks)
        file: Any = None  # nothing of a recording that is in memory reads it
        recording = Recording(
            path, self.sample_rate, samples.shape[1], len(samples), lambda first: iter([samples[first:]]), file
        )
        mono = recording.one_channel(channels)(recording.read(0, len(samples)))
        if channels == "average" and (fault := cancelled(samples, path)):
            raise fault
        mono = np.concatenate([np.zeros(round(self._start * self.sample_rate), np.float32), mono])
        if self.sample_rate != sample_rate:
            mono = soxr.resample(mono, self.sample_rate, sample_rate)
        return mono if len(mono) else None


class _Sampled:
    """Keeps the frames that are shown at equal steps of time."""

    def __init__(self, path: Path, steps: Steps, origin: float) -> None:
        self._path, self._steps, self._origin = path, steps, origin
        self._kept = list[NDArray[np.uint8]]()
        self._held: Any = None
        self._converter: Any = None
        self.end = 0.0

    def add(self, frame: Any) -> None:
        begin = self.end if frame.time is None else max(0.0, frame.time - self._origin)
        if self._held is not None:
            self._keep_until(begin)
        self._held = frame
        self.end = begin + float((frame.duration or 0) * (frame.time_base or 0))

    def frames(self) -> NDArray[np.uint8] | None:
        if self._held is None:
            return None
        count = max(1, math.ceil(self.end / self._steps.seconds - 1e-3))
        self._keep_until(count * self._steps.seconds)
        kept = np.stack(self._kept[: count * self._steps.frames])
        return kept.reshape(count, self._steps.frames, *kept.shape[1:])

    def _keep_until(self, time: float) -> None:
        """Keep the held frame for every step's frame that stands before a time."""
        distance = self._steps.seconds / self._steps.frames
        missing = math.ceil(time / distance - _EPSILON) - len(self._kept)
        if missing * distance > _STILL + self._steps.seconds:
            raise DataError(
                f"{self._path}: shows one picture until {time:.0f} s, so its times are wrong; write it again with "
                "`ffmpeg -i`, or leave it out"
            )
        if missing > 0:
            self._kept += [self._steps.prepare(self._pixels())] * missing

    def _pixels(self) -> Pixels:
        """The held frame as it is meant to be shown."""
        from av.video.reformatter import VideoReformatter

        self._converter = self._converter or VideoReformatter()  # making one takes longer than converting a small frame
        pixels: Pixels = self._converter.reformat(self._held, format="rgb24", threads=1).to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, round(self._held.rotation / 90)))
