"""An open audio file, independent of its decoder, with the same checks and messages for all formats."""

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
"""Greatest amplitude, where full scale is 1. Louder samples were written in another unit."""
MISSING = 0.01
"""Seconds by which a header may exceed the decoded length: lengths are rounded, and some include the header."""
_DIGESTED = 1 << 18
"""Number of bytes per step of the digest."""


@dataclass(frozen=True, eq=False)
class Recording:
    """An open audio file. Its samples are not normalised; full scale is -1..1."""

    path: Path
    sample_rate: int
    """Sample rate in Hz."""
    channels: int
    """Number of channels."""
    frames: int
    """Number of frames; counted if the header is wrong."""
    decoded: Callable[[int], Iterator[Samples]]
    """Decodes blocks from a frame on without checks; see ``blocks``."""
    file: BinaryIO
    """The file, or the content of a pipe; seekable."""

    @property
    def seconds(self) -> float:
        """Length of the recording, in seconds."""
        return self.frames / self.sample_rate

    def blocks(self, first: int = 0) -> Iterator[Samples]:
        """Decode from frame ``first`` to the end, in blocks of shape (samples, channels).

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
        """Decode at most ``count`` frames from frame ``first`` on, shape (samples, channels).

        Raises:
            DataError: as in ``blocks``.
        """
        parts, missing = [np.empty((0, self.channels), np.float32)], count
        for block in self.blocks(first):
            parts.append(block[:missing])
            missing -= len(parts[-1])
            if not missing:
                break
        return np.concatenate(parts)

    def one_channel(self, how: str) -> Callable[[Samples], Samples]:
        """A function that mixes blocks of this recording to one channel.

        Args:
            how: one of ``mgcl.audio.CHANNELS``. For "louder" the whole file is decoded to compare the channels.

        Returns:
            A function from samples (samples, channels) to shape (samples,).

        Raises:
            DataError: as in ``blocks``.
        """
        if how == "louder" and self.channels > 1:
            levels = sum(np.square(block, dtype=np.float64).sum(0) for block in self.blocks())
            loudest = int(np.argmax(levels))
            return lambda samples: np.ascontiguousarray(samples[:, loudest])
        return lambda samples: mixed(samples, how)

    def digest(self) -> str:
        """SHA-256 of the file's bytes, as hex digits; equal for one sound under two names."""
        place = self.file.tell()  # a decoder may read the same file
        self.file.seek(0)
        digest = hashlib.sha256()
        while block := self.file.read(_DIGESTED):
            digest.update(block)
        self.file.seek(place)
        return digest.hexdigest()


def cut_short(path: Path, there: float, promised: float | None) -> DataError:
    """The error, not raised, for a file whose end is missing.

    Args:
        path: path of the file.
        there: length of the present part, in seconds.
        promised: length according to the header, in seconds; None: unknown.
    """
    much = f"its end is missing, after {there:.2f} s"
    if promised is not None:
        much = f"{there:.2f} of {promised:.2f} s are there"
    return DataError(f"{path}: is cut short: {much}; fetch it again, write it again as wav, or leave it out")


def damaged(path: Path, there: float, promised: float, error: Exception) -> DataError:
    """The error, not raised, for a file that cannot be decoded to its end.

    Args:
        path: path of the file.
        there: length of the decoded part, in seconds.
        promised: length according to the header, in seconds.
        error: error of the decoder.
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
