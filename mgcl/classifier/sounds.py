"""What a user gives as sounds - files or arrays - as waveforms of one length."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from mgcl.data.audio import fit_length, load_clip
from mgcl.errors import DataError

Sounds = Sequence[Any] | NDArray[Any]
"""Paths, waveforms of any lengths, or a matrix of a waveform a row."""


Checked = Sequence[str | Path] | Sequence[NDArray[np.float32]]
"""The same, looked at."""


@dataclass(frozen=True, eq=False)
class Sound:
    """One clip as a backbone is given it."""

    name: str
    """Its path; of an array, its number."""
    waveform: NDArray[np.float32]
    """Shape (samples,)."""
    start: float = 0.0
    """Seconds into the recording that it is a window of."""

    @cached_property
    def digest(self) -> str:
        """16 hex digits of its samples: alike for the same sound under two names."""
        return hashlib.sha256(self.waveform.data).hexdigest()[:16]


def checked(sounds: Sounds) -> Checked:
    """What was given, paths or waveforms, in a form that ``read`` takes.

    Raises:
        ValueError: it is neither, or a waveform is empty, holds NaN or has more than one dimension.
    """
    if isinstance(sounds, (str, Path)):
        raise ValueError(f"expected a list of clips, got the one path {str(sounds)!r}; write [{str(sounds)!r}]")
    if not hasattr(sounds, "dtype") and isinstance(sounds, Sequence):
        if _are_paths(sounds):
            return sounds
        if sounds and all(np.ndim(each) == 1 for each in sounds):
            return [_waveform(each) for each in sounds]
    elif getattr(sounds, "ndim", 0) == 1 and _are_paths(paths := list(sounds)):
        return paths
    rows: Sequence[NDArray[np.float32]] = list(check_array(sounds, dtype=np.float32))
    return rows


def _are_paths(sounds: Sequence[object]) -> TypeGuard[Sequence[str | Path]]:
    return bool(sounds) and all(isinstance(each, (str, Path)) for each in sounds)


def _waveform(samples: ArrayLike) -> NDArray[np.float32]:
    row: NDArray[np.float32] = check_array(np.asarray(samples)[None], dtype=np.float32)[0]
    return row


def read(
    sounds: Checked,
    *,
    sample_rate: int,
    seconds: float,
    array_rate: int | None = None,
) -> Iterator[Sound | DataError]:
    """Decode, resample, and tile or crop each to one length, when it is asked for; or say what is wrong with it.

    Args:
        sounds: ``checked``.
        sample_rate: of the result, in Hz.
        seconds: of the result. What is longer is cropped: a file at a place that depends on its name, an array on its
            length.
        array_rate: of arrays; None: ``sample_rate``.
    """
    for number, each in enumerate(sounds):
        if isinstance(each, (str, Path)):
            path = Path(each)
            try:
                yield Sound(str(each), load_clip(path, clip_id=path.stem, sample_rate=sample_rate, seconds=seconds))
            except DataError as error:
                yield error
        else:
            samples = soxr.resample(each, array_rate or sample_rate, sample_rate)
            length = round(seconds * sample_rate)
            yield Sound(f"array {number}", np.ascontiguousarray(fit_length(samples, length, clip_id="")))


def whole(sound: Sound | DataError) -> Sound:
    """A sound that could be decoded.

    Raises:
        DataError: it could not.
    """
    if isinstance(sound, DataError):
        raise sound
    return sound
