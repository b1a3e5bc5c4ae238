"""Blocks of samples from a microphone, through PortAudio."""

import queue
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from mgcl.errors import ClassifierError
from mgcl.extras import missing

BLOCK = 0.1
"""Seconds of a block."""
_WAITING = 300
"""Blocks that may wait for a slow reader; more are lost."""

Samples = NDArray[np.float32]


def microphone(
    sample_rate: int, device: str | None = None, *, warn: Callable[[int], object] = lambda _: None
) -> Iterator[Samples]:
    """Record until the reader stops, resampled to one rate.

    Args:
        sample_rate: sample rate of the blocks, in Hz.
        device: number of an input device, or a part of its name; None: the system's default.
        warn: called with the number of blocks that were lost because the reader was too slow.

    Yields:
        Blocks of one channel, shape (samples,), with values in -1..1.

    Raises:
        ClassifierError: the package sounddevice or the library PortAudio is missing, or there is no such device.
    """
    sounddevice = _sounddevice()
    chosen: Any = int(device) if device is not None and device.isdecimal() else device
    waiting: queue.Queue[Samples] = queue.Queue(_WAITING)
    lost = 0

    def keep(samples: Samples, _frames: int, _time: object, status: Any) -> None:
        nonlocal lost
        lost += bool(status)
        try:
            waiting.put_nowait(samples[:, 0].copy())
        except queue.Full:
            lost += 1

    try:
        rate = float(sounddevice.query_devices(chosen, "input")["default_samplerate"])
        stream = sounddevice.InputStream(
            samplerate=rate, blocksize=round(BLOCK * rate), device=chosen, channels=1, dtype="float32", callback=keep
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        named = "no microphone" if device is None else f"`microphone` {device}: no such input"
        raise ClassifierError(
            f"{named} ({str(error).splitlines()[0]}); connect one, or name another: `python -m sounddevice` lists them"
        ) from None
    resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
    with stream:
        while True:
            with suppress(queue.Empty):  # a wait without an end could not be interrupted on every system
                yield resampler.resample_chunk(waiting.get(timeout=1))
            if lost:
                warn(lost)
                lost = 0


def _sounddevice() -> Any:
    if lacking := missing("sounddevice"):
        raise ClassifierError(f"a microphone needs {lacking}")
    try:
        import sounddevice
    except OSError as error:  # the package is there, the library that it opens is not
        raise ClassifierError(
            f"a microphone needs the library PortAudio ({error}); install it, on Debian `apt-get install libportaudio2`"
        ) from None
    return sounddevice
