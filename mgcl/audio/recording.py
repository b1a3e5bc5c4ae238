"""An open audio file, whatever decodes it: all files go through the same checks, in the same words."""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from mgcl.audio.channels import Samples, mixed
from mgcl.errors import DataError

LOUDEST = 100.0
"""Amplitude; full scale is 1. What is louder was written in another unit."""
MISSING = 0.01
"""Seconds that a header may promise in vain: lengths are rounded, and some count the header."""
_DIGESTED = 1 << 18
"""Bytes at a time."""


@dataclass(frozen=True, eq=False)
class Recording:
    """An open file. Its samples are in -1..1, as the file has them."""

    path: Path
    sample_rate: int
    """In Hz."""
    channels: int
    frames: int
    """Counted, where the header is wrong."""
    decoded: Callable[[int], Iterator[Samples]]
    """Decodes blocks from a frame on, unchecked; see ``blocks``."""
    file: BinaryIO
    """The file, or what a pipe held: seekable."""

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.frames / self.sample_rate

    def blocks(self, first: int = 0) -> Iterator[Samples]:
        """Decode from a frame to the end, in blocks of shape (samples, channels).

        Raises:
            DataError: the file ends early, cannot be decoded further, or a sample is NaN, infinite or greater than
                ``LOUDEST``; names the file.
        """
        at = first
        try:
            for block in self.decoded(first):
                _refuse_impossible(block, self.path)
                at += len(block)
                yield block
        except (soundfile.LibsndfileError, OSError, ValueError) as error:
            raise damaged(self.path, at / self.sample_rate, self.seconds, error) from None
        if self.frames - at > MISSING * self.sample_rate:
            raise cut_short(self.path, at / self.sample_rate, self.seconds)

    def read(self, first: int, count: int) -> Samples:
        """Decode at most so many frames from one on, shape (samples, channels).

        Raises:
            DataError: as ``blocks``.
        """
        parts, missing = [np.empty((0, self.channels), np.float32)], count
        for block in self.blocks(first):
            parts.append(block[:missing])
            missing -= len(parts[-1])
            if not missing:
                break
        return np.concatenate(parts)

    def one_channel(self, how: str) -> Callable[[Samples], Samples]:
        """What makes one channel of several, shape (samples,); the louder one is that of the whole file."""
        if how == "louder" and self.channels > 1:
            levels = sum(np.square(block, dtype=np.float64).sum(0) for block in self.blocks())
            loudest = int(np.argmax(levels))
            return lambda samples: np.ascontiguousarray(samples[:, loudest])
        return lambda samples: mixed(samples, how)

    def digest(self) -> str:
        """SHA-256 of the file's bytes, as hex digits: alike for one sound under two names."""
        place = self.file.tell()  # a decoder may read the same file
        self.file.seek(0)
        digest = hashlib.sha256()
        while block := self.file.read(_DIGESTED):
            digest.update(block)
        self.file.seek(place)
        return digest.hexdigest()


def cut_short(path: Path, there: float, promised: float | None) -> DataError:
    """What to say of a file whose end is missing.

    Args:
        path: of the file.
        there: seconds that it holds.
        promised: seconds that its header promises; None: it does not say.
    """
    much = f"its end is missing, after {there:.2f} s"
    if promised is not None:
        much = f"{there:.2f} of {promised:.2f} s are there"
    return DataError(f"{path}: is cut short: {much}; fetch it again, write it again as wav, or leave it out")


def damaged(path: Path, there: float, promised: float, error: Exception) -> DataError:
    """What to say of a file in whose middle a decoder gives up.

    Args:
        path: of the file.
        there: seconds that were decoded.
        promised: seconds that its header promises.
        error: the decoder's.
    """
    return DataError(
        f"{path}: cannot be decoded after {there:.2f} of {promised:.2f} s ({error}); fetch it again, write it again as "
        "wav, or leave it out"
    )


def _refuse_impossible(samples: Samples, path: Path) -> None:
    most = float(np.abs(samples).max()) if len(samples) else 0.0
    if not math.isfinite(most):
        raise DataError(f"{path}: a sample is NaN or infinite; leave it out")
    if most > LOUDEST:
        raise DataError(
            f"{path}: a sample is {most:.1e}, where full scale is 1; write it with samples in -1..1, or leave it out"
        )
