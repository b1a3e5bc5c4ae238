"""Small videos of one colour per quarter second and a tone, in real containers."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16000
FRAMES_PER_SECOND = 25
CODECS = {
    ".mp4": ("libx264", "aac"),
    ".mov": ("libx264", "aac"),
    ".mkv": ("libx264", "flac"),
    ".webm": ("libvpx-vp9", "libopus"),
    ".avi": ("mpeg4", "pcm_s16le"),
    ".ts": ("libx264", "aac"),
    ".mpg": ("mpeg2video", "mp2"),
}


def tone(seconds: float, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A tone of 440 Hz, shape (channels, samples)."""
    one = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.stack([one] * channels).astype(np.float32)


def greys(levels: Sequence[int], height: int = 32, width: int = 48) -> np.ndarray:
    """Frames of one grey each, shape (frames, height, width, 3)."""
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), height, width, 3)).copy()


def write(
    path: Path,
    *,
    frames: np.ndarray | None = None,
    times: Sequence[float] | None = None,
    sound: np.ndarray | None = None,
    rate: int = RATE,
    rotation: int = 0,
    delay: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video.

    Args:
        path: file to write; its suffix selects container and codecs.
        frames: shape (frames, height, width, 3); None: no picture.
        times: when each frame is shown, in seconds; None: 25 frames per second.
        sound: shape (channels, samples); None: no sound.
        rate: sample rate, in Hz.
        rotation: degrees, counter-clockwise, by which a player turns the picture.
        delay: seconds by which the sound begins later than the picture.
        options: options of the container.
    """
    video_codec, audio_codec = CODECS[path.suffix]
    with av.open(str(path), "w", options=options or {}) as container:
        if frames is not None:
            picture = container.add_stream(video_codec, rate=FRAMES_PER_SECOND)
            picture.height, picture.width, picture.pix_fmt = *frames.shape[1:3], "yuv420p"
            if times is not None:
                picture.codec_context.time_base = Fraction(1, 1000)
            if rotation:
                picture.set_display_rotation(rotation)
        if sound is not None:
            heard = container.add_stream(audio_codec, rate=rate, layout={1: "mono", 2: "stereo"}[len(sound)])
        for index, pixels in enumerate(frames if frames is not None else ()):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            base = Fraction(1, 1000) if times is not None else Fraction(1, FRAMES_PER_SECOND)
            frame.pts, frame.time_base = (round(times[index] * 1000) if times is not None else index), base
            container.mux(picture.encode(frame))
        if frames is not None:
            container.mux(picture.encode(None))
        if sound is not None:
            resampler = av.AudioResampler(format=heard.codec_context.format, layout=heard.layout, rate=rate)
            for start in range(0, sound.shape[1], 1024):
                block = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(sound[:, start : start + 1024]), format="fltp", layout=heard.layout.name
                )
                block.sample_rate, block.time_base = rate, Fraction(1, rate)
                block.pts = start + round(delay * rate)
                for each in resampler.resample(block):
                    container.mux(heard.encode(each))
            container.mux(heard.encode(None))
    return path
