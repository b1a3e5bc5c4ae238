"""What PyAV decodes, if it is installed: m4a, aac and what else libsndfile does not know."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mgcl.audio.channels import Samples
from mgcl.audio.formats import PYAV
from mgcl.audio.recording import Recording


def recording(path: Path, file: BinaryIO) -> Recording:
    """Open a file of a name that ``PYAV`` lists; it is decoded once to be counted.

    Args:
        path: for messages, and for the container that its name says.
        file: seekable, open for reading as long as the recording is.

    Raises:
        OSError: it is no such file.
    """
    import av

    container = PYAV[path.suffix.lower()]

    def blocks(first: int) -> Iterator[Samples]:
        file.seek(0)
        with av.open(file, mode="r", format=container) as opened:
            resampler = av.AudioResampler(format="fltp")
            for frame in opened.decode(audio=0):
                for each in resampler.resample(frame):
                    block = np.ascontiguousarray(each.to_ndarray().T, np.float32)
                    yield block[first:]
                    first = max(0, first - len(block))

    counted = sum(len(block) for block in blocks(0))
    file.seek(0)
    with av.open(file, mode="r", format=container) as opened:
        context = opened.streams.audio[0].codec_context
        return Recording(path, context.sample_rate, context.channels, counted, blocks, file)
