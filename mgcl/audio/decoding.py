"""An audio file decoded to its last frame: the one place where files are opened, whoever hears them.

libsndfile decodes; PyAV, if it is installed, what libsndfile does not know (m4a, aac, ...). All files go through the
same checks, in the same words.
"""

import functools
import io
import math
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from mgcl.audio import CHANNELS
from mgcl.audio.containers import Pieces, Stream, streams
from mgcl.audio.formats import PYAV, advice, has_pyav
from mgcl.errors import DataError

LOUDEST = 100.0
"""Amplitude; full scale is 1. What is louder was written in another unit."""
SILENT = 1e-4
"""Peak amplitude: 80 dB below full scale."""
_CANCELLED = 0.03
"""Of the louder channel's level: if their average is below, 30 dB, the channels are in opposite phase."""
_MISSING = 0.01
"""Seconds that a header may promise in vain: lengths are rounded, and some count the header."""
_BLOCK = 1 << 16
_UNKNOWN = 1 << 62
"""Frames; libsndfile says so many of a flac whose header says none."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Recording:
    """An open file. Its samples are in -1..1, as it has them."""

    path: Path
    sample_rate: int
    """In Hz."""
    channels: int
    frames: int
    """Counted, where the header does not say rightly."""
    content: bytes | None
    """Of a pipe, which is read once; None: the file can be read again."""
    _decoded: Callable[[int], Iterator[Samples]]
    """Blocks from a frame on."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.frames / self.sample_rate

    def blocks(self, first: int = 0) -> Iterator[Samples]:
        """Shape (samples, channels), from a frame to the end.

        Raises:
            DataError: it ends early, or a sample is NaN, infinite or greater than ``LOUDEST``; names the file.
        """
        at = first
        try:
            for block in self._decoded(first):
                _refuse_impossible(block, self.path)
                at += len(block)
                yield block
        except (soundfile.LibsndfileError, OSError, ValueError):
            raise _cut_short(self.path, at / self.sample_rate, self.seconds) from None
        if self.frames - at > _MISSING * self.sample_rate:
            raise _cut_short(self.path, at / self.sample_rate, self.seconds)

    def read(self, first: int, count: int) -> Samples:
        """Shape (samples, channels): at most so many frames from one on.

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


def mixed(samples: Samples, how: str) -> Samples:
    """One channel of several.

    Args:
        samples: shape (samples, channels).
        how: of ``CHANNELS``; of one channel it makes no difference.

    Returns:
        Shape (samples,).

    Raises:
        ValueError: ``how`` is none of them.
    """
    if how not in CHANNELS:
        raise ValueError(f"channels is {how!r}; it is one of {', '.join(CHANNELS)}")
    if how == "average" or samples.shape[1] == 1:
        average: Samples = samples.mean(1)
        return average
    rows = {"left": 0, "right": 1, "louder": int(np.square(samples, dtype=np.float64).sum(0).argmax())}
    return np.ascontiguousarray(samples[:, rows[how]])


@dataclass
class Levels:
    """How loud channels are, and their average, added up over blocks."""

    channels: float | NDArray[np.float64] = 0.0
    """Sums of squares."""
    average: float = 0.0
    peak: float = 0.0

    def add(self, samples: Samples) -> None:
        """One more block, shape (samples, channels)."""
        if len(samples):
            self.channels = self.channels + np.square(samples, dtype=np.float64).sum(0)
            self.average += float(np.square(samples.mean(1), dtype=np.float64).sum())
            self.peak = max(self.peak, float(np.abs(samples).max()))

    @property
    def is_silent(self) -> bool:
        """Whether nothing is to be heard in any channel."""
        return self.peak < SILENT

    @property
    def fault(self) -> str | None:
        """What is wrong with the average: channels in opposite phase leave silence there."""
        if self.is_silent or self.average >= _CANCELLED**2 * np.max(self.channels):
            return None
        return (
            "its channels are in opposite phase and cancel where they are averaged; take one of them: "
            "--channels left, right or louder"
        )


def cancelled(samples: Samples, name: str | Path) -> DataError | None:
    """What to say of channels that cancel where they are averaged; None: they do not.

    Args:
        samples: shape (samples, channels).
        name: of the file or array, for the message.
    """
    levels = Levels()
    levels.add(samples)
    return DataError(f"{name}: {levels.fault}") if levels.fault else None


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """Open an audio file, or a pipe; nothing is decoded yet, but where only that tells how long it is.

    Raises:
        DataError: it cannot be decoded, is empty, or is cut short; names it, and says what to do.
    """
    with ExitStack() as stack:
        try:
            content = _content(path)
            file = path.open("rb", buffering=0) if content is None else io.BytesIO(content)
            stack.callback(file.close)
            recording = replace(_decoder(path, file), content=content)
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; check its name") from None
        except Exception as error:  # whatever a decoder or the system has against a file, the others go on
            raise DataError(undecodable(path, error)) from None
        yield recording


@contextmanager
def opened_bytes(content: bytes, name: str) -> Iterator[Recording]:
    """Open an audio file that is at hand as bytes.

    Raises:
        DataError: as ``opened``; names it so.
    """
    try:
        recording = replace(_decoder(Path(name), io.BytesIO(content)), content=content)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{name}: its bytes cannot be decoded ({error}); leave it out") from None
    yield recording


def _decoder(path: Path, file: BinaryIO) -> Recording:
    if not file.read(1):
        raise DataError(f"{path}: is empty (0 bytes); record or fetch it again, or leave it out")
    try:
        return _by_libsndfile(path, file)
    except soundfile.LibsndfileError as error:
        return _by_pyav(path, file, error)


def undecodable(path: Path, error: Exception) -> str:
    """What to say of a file that is no audio."""
    if (hint := advice(path)) is not None:
        return f"{path}: {hint}"
    return f"{path}: cannot be decoded, whatever its name says ({error}); write it again as wav, or leave it out"


def _content(path: Path) -> bytes | None:
    """All of a pipe, which can be read but once; None of a file."""
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return path.read_bytes()
    raise DataError(f"{path}: is {'a folder' if stat.S_ISDIR(mode) else 'no file and no pipe'}; name an audio file")


def _cut_short(path: Path, there: float, promised: float | None) -> DataError:
    much = f"its end is missing, after {there:.2f} s"
    if promised is not None:
        much = f"{there:.2f} of {promised:.2f} s are there"
    return DataError(f"{path}: is cut short: {much}; fetch it again, write it again as wav, or leave it out")


def _refuse_impossible(samples: Samples, path: Path) -> None:
    most = float(np.abs(samples).max()) if len(samples) else 0.0
    if not math.isfinite(most):
        raise DataError(f"{path}: a sample is NaN or infinite; leave it out")
    if most > LOUDEST:
        raise DataError(
            f"{path}: a sample is {most:.1e}, where full scale is 1; write it with samples in -1..1, or leave it out"
        )


def _by_libsndfile(path: Path, file: BinaryIO) -> Recording:
    found = streams(file)
    parts = [_part(file, stream) for stream in found] or [_Part(_sndfile(file, None))]
    kinds = {(part.file.samplerate, part.file.channels) for part in parts}
    if len(kinds) > 1:
        words = " and ".join(f"{rate} Hz, {channels} channels" for rate, channels in sorted(kinds))
        raise DataError(f"{path}: joined of recordings of {words}; take them apart, or write it again as wav")
    ((rate, channels),) = kinds
    for part in parts:
        seconds, promised = part.frames / rate, part.promised
        if promised is None or seconds * (promised - 1) > _MISSING:
            raise _cut_short(path, seconds, promised and seconds * promised)
    return Recording(
        path, rate, channels, sum(part.frames for part in parts), None, lambda first: _blocks(parts, first)
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """One of the recordings that a file was joined of: most are one."""

    file: soundfile.SoundFile
    again: Callable[[], soundfile.SoundFile] | None = None
    """Opens it at its beginning, where to seek in it is not exact."""
    promised: float | None = 1.0
    """As ``Stream`` has it."""

    @property
    def frames(self) -> int:
        return int(self.file.frames)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """soundfile seeks to where it stands after each read: in an mp3 that is heard, and in a flac it takes its time."""

    def seekable(self) -> bool:
        """Reads need not."""
        return False


def _sndfile(file: BinaryIO, stream: Stream | None) -> soundfile.SoundFile:
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    if stream is not None and stream.pieces != ((0, end),):
        return _Forward(Pieces(file, stream.pieces))
    # By its number, without Python between: then names that are no text are no matter. It has no buffer of its own,
    # so that both may read.
    return _Forward(file.fileno() if isinstance(file, io.FileIO) else file, closefd=False)


def _part(file: BinaryIO, stream: Stream) -> _Part:
    again = functools.partial(_sndfile, file, stream) if stream.sequential else None
    part = _Part(_sndfile(file, stream), again, stream.promised)
    if part.file.format != "FLAC" or _ends(part.file):
        return part
    counted = _count(file, stream)
    if not counted:
        return part
    promised = part.frames / counted if part.frames < _UNKNOWN else 1.0
    return _Part(_sndfile(file, replace(stream, pieces=_counted(file, stream, counted))), promised=promised)


def _count(file: BinaryIO, stream: Stream) -> int:
    """Frames that a flac has, whatever its header says; the block in which it ends is lost, so blocks get smaller."""
    counted = 0
    for size in (_BLOCK, 1 << 11, 1 << 5, 1):
        flac = _sndfile(file, stream)  # anew: an error ends a decoder
        for _ in range(0, counted, _BLOCK):
            flac.read(min(_BLOCK, counted - flac.tell()), dtype="float32")
        with suppress(soundfile.LibsndfileError):
            while there := len(flac.read(size, dtype="float32")):
                counted += there
    return counted


def _ends(flac: soundfile.SoundFile) -> bool:
    """Whether there is a last frame where the header has it; if not, the header knows nothing, or the file is cut."""
    try:
        flac.seek(max(0, flac.frames - 1))
        there = flac.frames == 0 or len(flac.read(1)) == 1
        flac.seek(0)
    except soundfile.LibsndfileError:
        return False
    return there


def _counted(file: BinaryIO, stream: Stream, frames: int) -> tuple[Any, ...]:
    """A flac whose header says how long it is: 36 bits at the end of 18 bytes (RFC 9639, section 8.2)."""
    ((begin, end),) = stream.pieces
    file.seek(begin)
    head = file.read(26)
    kept = int.from_bytes(head[18:26]) >> 36 << 36
    return head[:18] + (kept | frames).to_bytes(8), (begin + 26, end)


def _whole_part(file: soundfile.SoundFile) -> Iterator[Samples]:
    """From where it stands to its end: what ``file.blocks`` gives, but not old samples where a file ends early."""
    while len(block := file.read(max(1, _BLOCK // file.channels), dtype="float32", always_2d=True)):
        yield block


def _blocks(parts: list[_Part], first: int) -> Iterator[Samples]:
    for part in parts:
        if first >= part.frames:
            first -= part.frames
            continue
        opened_part, skipped = part.file, 0
        if part.again is not None:
            opened_part, skipped = part.again(), first
        else:
            opened_part.seek(first)
        for block in _whole_part(opened_part):
            yield block[skipped:]
            skipped = max(0, skipped - len(block))
        first = 0


def _by_pyav(path: Path, file: BinaryIO, reason: Exception) -> Recording:
    container = PYAV.get(path.suffix.lower())
    if container is None or not has_pyav():
        raise reason
    import av

    def frames(first: int) -> Iterator[Samples]:
        file.seek(0)
        with av.open(file, mode="r", format=container) as source:
            resampler = av.AudioResampler(format="fltp")
            for frame in source.decode(audio=0):
                for each in resampler.resample(frame):
                    block = np.ascontiguousarray(each.to_ndarray().T, np.float32)
                    yield block[first:]
                    first = max(0, first - len(block))

    counted = 0
    for block in frames(0):
        counted += len(block)
    file.seek(0)
    with av.open(file, mode="r", format=container) as source:
        context = source.streams.audio[0].codec_context
        return Recording(path, context.sample_rate, context.channels, counted, None, frames)
