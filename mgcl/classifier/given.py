"""Clips of every accepted form (files, stretches of files, arrays of many libraries), converted to ``Clip``."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from mgcl.audio.channels import cancelled, mixed
from mgcl.audio.decoding import opened_bytes
from mgcl.errors import ClassifierError, DataError, MgclWarning

MOST_CHANNELS = 32
LEAST_SECONDS = 0.01
"""Least length of a clip. A shorter array was read along the wrong axis, e.g. row by row of a stereo recording."""
_LOUD = 100.0
"""Amplitude. An array with a greater peak is in another unit than full scale 1, and is warned of."""
_LOUDEST = 1e6
"""Amplitude. An array with a greater peak is no sound in any unit, and is refused."""


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that is used as a clip."""

    path: str | Path
    start: float
    """Start in seconds, at least 0."""
    end: float
    """End in seconds, greater than ``start``."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A clip that was given as an array, mixed to one channel."""

    waveform: NDArray[np.float32]
    """Samples of shape (samples,), full scale 1."""
    sample_rate: int | None
    """Sample rate in Hz; None: it was not given."""

    @property
    def peak(self) -> float:
        """Greatest amplitude."""
        return float(np.abs(self.waveform).max())


def part_of(path: Path, start: float | None, end: float | None) -> Path | Stretch:
    """The stretch of a file between the bounds; the file itself if a bound is None."""
    return path if start is None or end is None else Stretch(path, start, end)


Clip = str | Path | Stretch | Samples
Sounds = Iterable[Any]
"""Clips, or a matrix of one waveform per row; see ``clips``."""


def clips(sounds: Sounds, *, sample_rate: int, channels: str = "average") -> list[Clip]:
    """Convert clips of any accepted form to paths, stretches and sample arrays.

    Args:
        sounds: any iterable of clips. A clip is a path; a ``Stretch``; an array or tensor of shape (samples,),
            (samples, channels) or (channels, samples); a pair of such an array and its rate in Hz, in any order; or
            a clip of the package datasets: a mapping with "array" and "sampling_rate", or with "bytes" or "path", or a
            decoder. An array of two dimensions is a matrix of one clip per row; if its rows are too short for that
            (less than 10 ms) it is one clip (samples, channels). A single clip of any other form is given as
            ``[clip]``.
        sample_rate: sample rate of arrays that come without one, in Hz.
        channels: how several channels of an array become one: one of ``mgcl.audio.CHANNELS``.

    Raises:
        ClassifierError: there are no clips, or one has no accepted form; names it.
        DataError: the channels of an array cancel each other.
        ValueError: an array is empty or holds NaN.
    """
    if isinstance(sounds, (str, PathLike)):
        raise ClassifierError(f"expected a list of clips, got the one path {str(sounds)!r}; write [{str(sounds)!r}]")
    if _is_one_clip(sounds):
        raise ClassifierError(f"expected a list of clips, got one clip ({_words(sounds)}); write [clip]")
    if (hasattr(sounds, "dtype") or hasattr(sounds, "__array__")) and not _holds_objects(sounds):
        sounds = _rows(sounds, sample_rate)
    elif not isinstance(sounds, Iterable):
        raise ClassifierError(f"expected a list of clips, got {_words(sounds)}; a clip is a path or an array")
    found = [_clip(each, f"clip {number}", sample_rate, channels) for number, each in enumerate(sounds)]
    if not found:
        raise ClassifierError("no clips were given")
    return found


def _is_one_clip(given: object) -> bool:
    if isinstance(given, Mapping):
        return not hasattr(given, "dtype")  # a sparse matrix may be a mapping
    return isinstance(given, (bytes, Stretch)) or hasattr(given, "get_all_samples") or _pair(given) is not None


def _holds_objects(given: Any) -> bool:
    """Whether the given object is an array of paths or of arrays, not of samples."""
    kind = getattr(getattr(given, "dtype", None), "kind", "O")
    return getattr(given, "ndim", 0) == 1 and kind in "OUT"


def _rows(given: Any, sample_rate: int) -> Iterable[Any]:
    """Clips in an array: the rows of a matrix, or the matrices of an array of three dimensions."""
    array = _array(given)
    if getattr(array, "ndim", 0) == 3:
        return list(array)
    matrix: NDArray[np.float32] = check_array(_scaled(array), dtype=np.float32)
    least = LEAST_SECONDS * sample_rate
    if matrix.shape[1] < least <= len(matrix) and matrix.shape[1] <= MOST_CHANNELS:
        return [array]
    if matrix.shape[1] < least:
        raise ClassifierError(
            f"an array of shape {matrix.shape} is {len(matrix)} clips of {matrix.shape[1]} samples each, one per row, "
            f"and a clip has at least {LEAST_SECONDS:g} s; one clip of several channels is given as [clip]"
        )
    if len(matrix) == 2:
        warnings.warn(
            f"an array of shape {matrix.shape} is taken as two clips; one clip of two channels is given as [clip]",
            MgclWarning,
            stacklevel=2,
        )
    return matrix


def _clip(given: Any, name: str, rate: int, channels: str) -> Clip:
    if isinstance(given, Stretch):
        if not 0 <= given.start < given.end < math.inf:
            raise ClassifierError(f"{given.path}: a stretch of {given.start} to {given.end} s; it ends after it starts")
        return given
    if isinstance(given, (str, PathLike)):
        return given if isinstance(given, (str, Path)) else Path(fspath(given))
    samples, own_rate = _samples_and_rate(given, name)
    if isinstance(samples, (str, Path)):
        return samples
    found = Samples(_one_channel(samples, name, channels), _checked_rate(own_rate, name))
    if len(found.waveform) < LEAST_SECONDS * (found.sample_rate or rate):
        raise ClassifierError(
            f"{name}: {len(found.waveform)} samples are less than {LEAST_SECONDS:g} s; a clip is a whole recording, "
            "one of several channels too: is a recording given without [ ] around it?"
        )
    if found.peak > _LOUDEST:
        raise ClassifierError(f"{name}: a sample is {found.peak:.1e}, where full scale is 1")
    if found.peak > _LOUD:
        warnings.warn(
            f"{name}: its peak is {found.peak:.0f}, where full scale is 1: give PCM as whole numbers of its own width "
            "(int16), or divide it",
            MgclWarning,
            stacklevel=2,
        )
    return found


def _samples_and_rate(given: Any, name: str) -> tuple[Any, Any]:
    """The array or the path in a given clip, and the array's rate or None."""
    if hasattr(given, "get_all_samples"):  # torchcodec's decoder, which datasets gives
        decoded = given.get_all_samples()
        return decoded.data, decoded.sample_rate
    if isinstance(given, Mapping):
        return _of_mapping(given, name)
    if (pair := _pair(given)) is not None:
        return pair
    if hasattr(given, "read") or isinstance(given, bytes) or not (hasattr(given, "__array__") or _is_list(given)):
        raise ClassifierError(f"{name}: is {_words(given)}; give a path, an array, or an array with its rate")
    return given, None


def _of_mapping(given: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    for key in ("array", "raw"):
        if given.get(key) is not None:
            return given[key], given.get("sampling_rate")
    if given.get("bytes") is not None:
        try:
            with opened_bytes(given["bytes"], name) as recording:
                return recording.read(0, recording.frames), recording.sample_rate
        except DataError as error:
            raise ClassifierError(str(error)) from None
    if given.get("path"):
        return str(given["path"]), None
    raise ClassifierError(
        f"{name}: has {', '.join(map(repr, given))}, and neither 'array' with 'sampling_rate' nor 'bytes' nor "
        "'path'; of a data set give the column of its clips"
    )


def _pair(given: object) -> tuple[Any, Any] | None:
    """Array and rate of a pair (rate, samples) or (samples, rate); None for anything else."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        return None
    first, second = given
    if _is_number(first) and _is_array(second):
        return second, first
    return (first, second) if _is_number(second) and _is_array(first) else None


def _is_number(given: object) -> bool:
    return isinstance(given, Real) or (isinstance(given, np.ndarray) and given.ndim == 0)


def _is_array(given: object) -> bool:
    return getattr(given, "ndim", 0) > 0 or (_is_list(given) and len(given) > 0)  # type: ignore[arg-type]


def _is_list(given: object) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, (str, bytes))


def _array(given: Any) -> Any:
    """Convert a tensor or a list to a numpy array; other arrays are returned as they are."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        given = given.float() if given.is_floating_point() else given
        return given.numpy()
    return given if hasattr(given, "shape") else np.asarray(given)


def _one_channel(given: Any, name: str, how: str) -> NDArray[np.float32]:
    try:
        array = _array(given)
    except ValueError:
        raise ClassifierError(f"{name}: is {_words(given)} whose parts differ in length; give an array") from None
    if array.ndim == 1:
        row: NDArray[np.float32] = check_array(_scaled(np.asarray(array))[None], dtype=np.float32)[0]
        return row
    shape = tuple(array.shape)
    if array.ndim != 2 or min(shape) > MOST_CHANNELS or shape[0] == shape[1] != 1:
        raise ClassifierError(
            f"{name}: is an array of shape {shape}; a clip has shape (samples,), (samples, channels) or "
            f"(channels, samples), with at most {MOST_CHANNELS} channels"
        )
    channels = check_array(_scaled(np.asarray(array)), dtype=np.float32)
    if np.argmin(shape) == 0:
        channels = channels.T
    if how == "average" and (fault := cancelled(channels, name)):
        raise fault
    return mixed(channels, how)


def _scaled(samples: Any) -> Any:
    """Scale integer PCM of 8, 16 or 32 bits to -1..1. Other samples are returned as they are."""
    if not isinstance(samples, np.ndarray) or samples.dtype.kind not in "iu" or samples.dtype.itemsize > 4:
        return samples
    kind = samples.dtype
    half = 2.0 ** (8 * kind.itemsize - 1)
    return (samples - (half if kind.kind == "u" else 0.0)) / half


def _checked_rate(rate: Any, name: str) -> int | None:
    if rate is None:
        return None
    if not math.isfinite(float(rate)) or float(rate) != round(float(rate)) or rate < 1:
        raise ClassifierError(f"{name}: its sample rate is {rate}; it is a whole number of Hz")
    return int(rate)


def _words(given: object) -> str:
    return f"a {type(given).__name__}"
