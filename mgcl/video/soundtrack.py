"""The sound of a video: its frames collected into one waveform."""

from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.audio.channels import cancelled
from mgcl.audio.recording import Recording


class Soundtrack:
    """Collects frames of sound.

    Attributes:
        sample_rate: sample rate of the file, in Hz; 0 until the first frame.
    """

    def __init__(self, origin: float) -> None:
        self._origin, self._blocks = origin, list[NDArray[np.float32]]()
        self._resampler: Any = None
        self._start, self._samples = 0.0, 0
        self.sample_rate = 0

    @property
    def end(self) -> float:
        """Where the sound ends, in seconds; 0: there is none."""
        return self._start + self._samples / self.sample_rate if self.sample_rate else 0.0

    @property
    def channels(self) -> int:
        """Number of channels; 0: there is no sound."""
        return self._blocks[0].shape[1] if self._blocks else 0

    def add(self, frame: Any) -> None:
        """Add the next frame."""
        import av

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=frame.sample_rate)
            self.sample_rate = frame.sample_rate
            self._start = max(0.0, (frame.time or 0.0) - self._origin) if frame.time is not None else 0.0
        for each in self._resampler.resample(frame):
            self._blocks.append(np.ascontiguousarray(each.to_ndarray().T, np.float32))
            self._samples += len(self._blocks[-1])

    def waveform(self, path: Path, sample_rate: int, channels: str) -> NDArray[np.float32] | None:
        """Samples of one channel, shape (samples,), silent until the sound begins; None: there is no sound.

        Raises:
            DataError: the average of channels that cancel each other is wanted; names the file.
        """
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
