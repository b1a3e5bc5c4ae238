"""Encode generated frames and sound into an mp4 file. The same input gives the same bytes with one build of PyAV."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mgcl.errors import DataError

_BLOCK = 4096


def write_mp4(
    path: Path, frames: NDArray[np.uint8], waveform: NDArray[np.float32], *, frame_rate: Fraction, sample_rate: int
) -> None:
    """Write an mp4 of H.264 pictures and lossless sound (FLAC, 16 bits).

    Args:
        path: file to write.
        frames: shape (frames, height, width, 3); height and width are even.
        waveform: one channel, shape (samples,), -1..1.
        frame_rate: frames per second.
        sample_rate: sample rate of the waveform, in Hz.

    Raises:
        DataError: PyAV was built without an encoder for H.264.
    """
    import av

    if "libx264" not in av.codecs_available:
        raise DataError(f"{path}: this build of PyAV has no encoder libx264; install the wheel of PyPI: pip install av")
    height, width = frames.shape[1:3]
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        picture = container.add_stream("libx264", rate=frame_rate, options={"crf": "16", "preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
        picture.codec_context.thread_count = 1
        sound = container.add_stream("flac", rate=sample_rate, layout="mono", format="s16")
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, 1 / frame_rate
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        whole = np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
        for start in range(0, len(whole), _BLOCK):
            block = av.AudioFrame.from_ndarray(whole[None, start : start + _BLOCK], format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = sample_rate, start, Fraction(1, sample_rate)
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
