"""Decode a video: its sound as one channel, and its frames at equal steps of time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mgcl.errors import DataError
from mgcl.video.container import MEND, frames, opened, origin, refuse_cut
from mgcl.video.picture import Picture, Steps
from mgcl.video.soundtrack import Soundtrack


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
    with opened(path) as container:
        start = origin(container)
        sound, picture = Soundtrack(start), Picture(path, steps, start)
        for frame in frames(container, path):
            (sound if type(frame).__name__ == "AudioFrame" else picture).add(frame)
        refuse_cut(container, path, sound.end, picture.end)
    waveform = sound.waveform(path, sample_rate, channels)
    shown = picture.frames()
    if waveform is None and shown is None:
        raise DataError(f"{path}: has neither sound nor picture; {MEND}")
    return Decoded(waveform, shown, max(sound.end, picture.end), sound.sample_rate, sound.channels)


def duration(path: Path) -> float:
    """Length that a video's header states, in seconds; 0: it states none.

    Raises:
        DataError: the file cannot be opened; names it.
    """
    with opened(path) as container:
        return (container.duration or 0) / 1e6
