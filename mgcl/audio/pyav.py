"""Recordings that PyAV decodes, if it is installed: m4a, aac and other formats that libsndfile does not know."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mgcl.audio.channels import Samples
from mgcl.audio.formats import PYAV
from mgcl.audio.recording import Recording, cut_short, damaged

_SAY_THEIR_LENGTH = ("mov", "matroska")
"""Containers whose header holds the length. For other containers FFmpeg estimates it from the bit rate."""
_MISSING = 0.15
"""Seconds by which a header may exceed the decoded length: it counts frames of some 1,024 samples at the edges."""


def recording(path: Path, file: BinaryIO) -> Recording:
    """Open a file with a suffix that ``PYAV`` lists. The file is decoded once to count its frames.

    Args:
        path: path of the file, for messages; its suffix selects the container.
        file: seekable; it must stay open for reading as long as the recording is in use.

    Raises:
        DataError: the file is cut short, or damaged; names it.
        OSError: the file is not of this container.
    """
    container = PYAV[path.suffix.lower()]
    rate, channels, promised = _header(file, container)
    decoded = functools.partial(_blocks, file, container)
    counted = 0
    try:
        for block in decoded(0):
            counted += len(block)
    except (OSError, ValueError) as error:
        if not counted or promised is None:
            raise
        raise damaged(path, counted / rate, promised, error) from None
    if promised is not None and promised - counted / rate > _MISSING:
        raise cut_short(path, counted / rate, promised)
    return Recording(path, rate, channels, counted, decoded, file)


def _header(file: BinaryIO, container: str) -> tuple[int, int, float | None]:
    """Sample rate in Hz, number of channels, and length in seconds; None: the length would be an estimate."""
    import av

    file.seek(0)
    with av.open(file, mode="r", format=container) as opened:
        stream = opened.streams.audio[0]
        seconds = None
        if container in _SAY_THEIR_LENGTH:
            if stream.duration is not None and stream.time_base is not None:
                seconds = float(stream.duration * stream.time_base)
            elif opened.duration is not None:
                seconds = opened.duration / av.time_base
        return stream.codec_context.sample_rate, stream.codec_context.channels, seconds


def _blocks(file: BinaryIO, container: str, first: int) -> Iterator[Samples]:
    import av

    file.seek(0)
    with av.open(file, mode="r", format=container) as opened:
        resampler = av.AudioResampler(format="fltp")
        for frame in opened.decode(audio=0):
            for each in resampler.resample(frame):
                block = np.ascontiguousarray(each.to_ndarray().T, np.float32)
                yield block[first:]
                first = max(0, first - len(block))
