"""Audio files as a backbone wants them: one channel, its sample rate, its length."""

import math
import re
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mgcl.data.seeding import generator
from mgcl.errors import DataError

_PROMISED = re.compile(r"^data : (\d+) \(should be", re.MULTILINE)
"""The size that a wav's header gives, where libsndfile's log corrects it."""
_STREAMING = 0x7FF00000
"""Bytes; just under 2 GiB."""

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".au", ".caf", ".opus", ".rf64", ".w64")
LOUDEST = 1e6
"""Amplitude; full scale is 1."""
SILENT = 1e-4
"""Peak amplitude: 80 dB below full scale."""
VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


def load_clip(path: Path, *, clip_id: str, sample_rate: int, seconds: float) -> NDArray[np.float32]:
    """Decode a file, mix its channels, resample, and tile or crop it to one length.

    Args:
        path: anything that libsndfile reads: wav, flac, ogg, mp3.
        clip_id: seeds the place of a crop, so that it is the same in every run.
        sample_rate: in Hz.
        seconds: of the result; a shorter clip is repeated.

    Returns:
        Shape (samples,), in -1..1 as the file has it.

    Raises:
        DataError: the file cannot be decoded, is cut short, or holds too few samples; names it.
    """
    return located_clip(path, clip_id=clip_id, sample_rate=sample_rate, seconds=seconds)[0]


def located_clip(
    path: Path, *, clip_id: str, sample_rate: int, seconds: float, start: float = 0.0, end: float | None = None
) -> tuple[NDArray[np.float32], float, float]:
    """What ``load_clip`` gives, and where in the file it starts and stops, in seconds.

    Args:
        path: as in ``load_clip``.
        clip_id: as in ``load_clip``.
        sample_rate: as in ``load_clip``.
        seconds: as in ``load_clip``.
        start: of the stretch that the clip is, in seconds.
        end: of it; None: the file's.

    Raises:
        DataError: as ``load_clip``, or the stretch lies beyond the file's end.
    """
    samples, rate, first = _read_stretch(path, clip_id, 2 * seconds, start, end)
    refuse_impossible(samples, path)
    mono = samples.mean(1)
    if rate != sample_rate and len(mono):
        mono = soxr.resample(mono, rate, sample_rate)
    if not len(mono):
        raise DataError(f"{path}: holds no samples, or too few to resample; leave it out")
    length = round(seconds * sample_rate)
    begin = first / rate + crop_start(len(mono), length, clip_id) / sample_rate
    return fit_length(mono, length, clip_id=clip_id), begin, begin + min(len(mono), length) / sample_rate


def refuse_impossible(samples: NDArray[np.float32], path: Path) -> None:
    """Full scale is 1: what is a million times that is no sound, and overflows further on.

    Raises:
        DataError: a sample is NaN, infinite or greater than ``LOUDEST``; names the file.
    """
    if not np.isfinite(samples).all():
        raise DataError(f"{path}: a sample is NaN or infinite; leave it out")
    if len(samples) and (most := float(np.abs(samples).max())) > LOUDEST:
        raise DataError(f"{path}: a sample is {most:.1e}, where full scale is 1; write it again, or leave it out")


def fit_length(samples: NDArray[np.float32], length: int, *, clip_id: str) -> NDArray[np.float32]:
    """Repeat what is too short; of what is too long, keep a stretch that depends on the clip's id alone."""
    if len(samples) < length:
        return np.resize(samples, length)
    start = crop_start(len(samples), length, clip_id)
    return samples[start : start + length]


def crop_start(samples: int, length: int, clip_id: str) -> int:
    """The sample that ``fit_length`` starts at."""
    return int(generator("crop", clip_id).integers(samples - length + 1)) if samples >= length else 0


def _read_stretch(
    path: Path, clip_id: str, seconds: float, start: float, end: float | None
) -> tuple[NDArray[np.float32], int, int]:
    """At most so many seconds of a stretch of a file, shape (samples, channels), its sample rate, and its first frame.

    Nothing else is decoded, so that an hour costs what a few seconds do.
    """
    try:
        with soundfile.SoundFile(path) as file:
            refuse_cut_short(file, path)
            first, last = round(start * file.samplerate), file.frames
            if end is not None:
                last = round(end * file.samplerate)
                if last > file.frames + file.samplerate // 100:
                    lasts = file.frames / file.samplerate
                    raise DataError(f"{path}: lasts {lasts:g} s, and its stretch of {start:g} to {end:g} s ends later")
                last = min(last, file.frames)
            count = min(last - first, math.ceil(seconds * file.samplerate))
            if count < last - first:
                first += int(generator("stretch", clip_id).integers(last - first - count + 1))
            if first:
                file.seek(first)
            samples, rate = file.read(count, dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise undecodable(path, error) from None
    if len(samples) < count:
        raise DataError(f"{path}: ends before the length it gives; fetch it again, or leave it out")
    return samples, rate, first


def refuse_cut_short(file: soundfile.SoundFile, path: Path) -> None:
    """Raise what is to be said of a file that ``is_cut_short``."""
    if is_cut_short(file):
        raise DataError(f"{path}: is cut short; fetch it again, write it again as wav, or leave it out")


def is_cut_short(file: soundfile.SoundFile) -> bool:
    """Whether a wav says that it has more data than there is, or an ogg ends without its last page.

    libsndfile takes both as they are, and tells of it in its log alone. A writer that cannot seek back leaves a size
    from ``_STREAMING`` on (SoX 0x7ffff000, others 2**31 - 1, 2**31, 2**32 - 1): that promises nothing.
    """
    log: str = file.extra_info
    promised = [int(size) for size in _PROMISED.findall(log)]
    return any(size < _STREAMING for size in promised) or "end-of-stream" in log.lower()


def duration(path: Path) -> float:
    """Seconds that a file's header gives it.

    Raises:
        DataError: the file cannot be opened as audio; names it.
    """
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, OSError) as error:
        raise undecodable(path, error) from None


def undecodable(path: Path, error: Exception) -> DataError:
    """What to say of a file that is no audio."""
    if path.is_file() and not path.stat().st_size:
        return DataError(f"{path}: is empty (0 bytes); record or fetch it again, or leave it out")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return DataError(f"{path}: is a video; take its sound out: ffmpeg -i {path.name} {path.stem}.wav")
    if not path.exists():
        return DataError(f"{path}: no such file; check its name")
    return DataError(
        f"{path}: cannot be decoded, whatever its name says ({error}); write it again as wav, or leave it out"
    )
