"""The picture of a video: the frames that are shown at equal steps of time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgcl.errors import DataError

Pixels = NDArray[np.uint8]
"""One frame, shape (height, width, 3), red, green and blue."""

_STILL = 3600.0
"""Seconds that one frame may be shown. Longer ones come from wrong times, which would fill the memory."""
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


class Picture:
    """Keeps the frames that are shown at equal steps of time.

    Attributes:
        end: where the last frame that was added ends, in seconds.
    """

    def __init__(self, path: Path, steps: Steps, origin: float) -> None:
        self._path, self._steps, self._origin = path, steps, origin
        self._kept = list[NDArray[np.uint8]]()
        self._held: Any = None
        self._converter: Any = None
        self.end = 0.0

    def add(self, frame: Any) -> None:
        """Add the next frame."""
        begin = self.end if frame.time is None else max(0.0, frame.time - self._origin)
        if self._held is not None:
            self._keep_until(begin)
        self._held = frame
        self.end = begin + float((frame.duration or 0) * (frame.time_base or 0))

    def frames(self) -> NDArray[np.uint8] | None:
        """Kept frames, shape (steps, frames per step, ...); None: there is no picture."""
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
