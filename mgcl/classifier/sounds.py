"""What a user gives as sounds - files or arrays - as waveforms of one length."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from mgcl.data.audio import LOUDEST, SILENT, fit_length, load_clip
from mgcl.errors import ClassifierError, DataError

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
    source: Path | NDArray[np.float32] | None = None
    """What it was read from; None of a window."""
    start: float = 0.0
    """Seconds into the recording that it is a window of."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is to be heard: its peak is 80 dB below full scale."""
        return float(np.abs(self.waveform).max()) < SILENT

    @cached_property
    def digest(self) -> str:
        """Of the file, or the array: alike for one sound under two names; empty of a window."""
        if isinstance(self.source, Path):
            with self.source.open("rb") as file:  # bit by bit: it may be a long recording
                return hashlib.file_digest(file, "sha256").hexdigest()
        return "" if self.source is None else hashlib.sha256(self.source.tobytes()).hexdigest()


def checked(sounds: Sounds) -> Checked:
    """What was given, paths or waveforms, in a form that ``read`` takes.

    Raises:
        ValueError: it is neither, or a waveform is empty, holds NaN or has more than one dimension.
    """
    if isinstance(sounds, (str, Path)):
        raise ClassifierError(f"expected a list of clips, got the one path {str(sounds)!r}; write [{str(sounds)!r}]")
    if not hasattr(sounds, "dtype") and isinstance(sounds, Sequence):
        if not sounds:
            raise ClassifierError("no clips were given")
        if _are_paths(sounds):
            return sounds
        if all(np.ndim(each) == 1 for each in sounds):
            return _possible([_waveform(each) for each in sounds])
    elif getattr(sounds, "ndim", 0) == 1 and _are_paths(paths := list(sounds)):
        return paths
    return _possible(list(check_array(_scaled(sounds), dtype=np.float32)))


def _are_paths(sounds: Sequence[object]) -> TypeGuard[Sequence[str | Path]]:
    return bool(sounds) and all(isinstance(each, (str, Path)) for each in sounds)


def _waveform(samples: ArrayLike) -> NDArray[np.float32]:
    row: NDArray[np.float32] = check_array(_scaled(samples)[None], dtype=np.float32)[0]
    return row


def _possible(rows: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    for number, row in enumerate(rows):
        if (most := float(np.abs(row).max())) > LOUDEST:
            raise ClassifierError(f"array {number}: a sample is {most:.1e}, where full scale is 1")
    return rows


def _scaled(samples: Any) -> Any:
    """PCM as files have it, 16 or 32 bits, becomes -1..1; the rest is as it is."""
    if getattr(samples, "dtype", None) in (np.int16, np.int32):
        return samples / -float(np.iinfo(samples.dtype).min)
    return samples if hasattr(samples, "shape") else np.asarray(samples)


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
                waveform = load_clip(path, clip_id=path.stem, sample_rate=sample_rate, seconds=seconds)
                yield Sound(str(each), waveform, path)
            except DataError as error:
                yield error
        else:
            samples = soxr.resample(each, array_rate or sample_rate, sample_rate)
            waveform = fit_length(samples, round(seconds * sample_rate), clip_id="")
            yield Sound(f"array {number}", np.ascontiguousarray(waveform), each)


_Heard = TypeVar("_Heard")


def whole(heard: _Heard | DataError) -> _Heard:
    """A sound that could be decoded, or the answer to one.

    Raises:
        DataError: it could not.
    """
    if isinstance(heard, DataError):
        raise heard
    return heard


def all_whole(sounds: Iterable[Sound | DataError]) -> list[Sound]:
    """Sounds that could all be decoded.

    Raises:
        DataError: some could not; says why of each.
    """
    found = list(sounds)
    if wrong := [str(each) for each in found if isinstance(each, DataError)]:
        raise DataError("; ".join(wrong))
    return [whole(each) for each in found]
