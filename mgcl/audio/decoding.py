"""Opens an audio file: the one place where they are opened, whoever reads them.

libsndfile decodes; PyAV, if it is installed, what libsndfile does not know (m4a, aac, ...).
"""

import io
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import soundfile

from mgcl.audio import libsndfile, pyav
from mgcl.audio.formats import PYAV, advice, has_pyav
from mgcl.audio.recording import Recording
from mgcl.errors import DataError


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """Open an audio file, or a pipe; nothing is decoded yet, but where only that tells how long it is.

    Raises:
        DataError: the file cannot be decoded, is empty, or is cut short; names it, and says what to do.
    """
    with ExitStack() as stack:
        try:
            content = _content(path)
            file = path.open("rb", buffering=0) if content is None else io.BytesIO(content)
            stack.callback(file.close)
            recording = _recording(path, file)
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; check its name") from None
        except Exception as error:  # whatever a decoder or the system has against a file, the others go on
            raise DataError(_undecodable(path, error)) from None
        yield recording


@contextmanager
def opened_bytes(content: bytes, name: str) -> Iterator[Recording]:
    """Open an audio file that is at hand as bytes.

    Raises:
        DataError: as ``opened``; calls it by this name.
    """
    try:
        recording = _recording(Path(name), io.BytesIO(content))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{name}: its bytes cannot be decoded ({error}); leave it out") from None
    yield recording


def _recording(path: Path, file: BinaryIO) -> Recording:
    if not file.read(1):
        raise DataError(f"{path}: is empty (0 bytes); record or fetch it again, or leave it out")
    try:
        return libsndfile.recording(path, file)
    except soundfile.LibsndfileError:
        if path.suffix.lower() not in PYAV or not has_pyav():
            raise
        return pyav.recording(path, file)


def _undecodable(path: Path, error: Exception) -> str:
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
