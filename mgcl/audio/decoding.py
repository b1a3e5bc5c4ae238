"""Opening of audio files: every reader of audio opens its files here.

libsndfile decodes most formats. PyAV, if installed, decodes formats that libsndfile does not know (m4a, aac, ...).
"""

import io
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import soundfile

from mgcl.audio import libsndfile, pyav
from mgcl.audio.formats import PYAV, advice, has_pyav
from mgcl.audio.pieces import Pieces
from mgcl.audio.recording import Recording
from mgcl.errors import DataError


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """Open an audio file or a pipe. Samples are decoded at this point only if the length cannot be found otherwise.

    Raises:
        DataError: the file cannot be decoded, is empty, or is cut short; names the file and a remedy.
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
        except Exception as error:  # any failure of a decoder or the system concerns this file alone
            raise DataError(_undecodable(path, error)) from None
        yield recording


@contextmanager
def opened_bytes(content: bytes, name: str) -> Iterator[Recording]:
    """Open an audio file whose content is given as bytes.

    Args:
        content: content of the file.
        name: name of the file, for messages.

    Raises:
        DataError: as in ``opened``.
    """
    try:
        recording = _recording(Path(name), io.BytesIO(content))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{name}: its bytes cannot be decoded ({error}); leave it out") from None
    yield recording


@contextmanager
def opened_range(path: Path, begin: int, size: int, name: str) -> Iterator[Recording]:
    """Open an audio file that lies within another file, e.g. in a tar archive, and read it there.

    Args:
        path: the file that holds it.
        begin: offset of its first byte.
        size: number of its bytes.
        name: its name, for messages and for the kind of container.

    Raises:
        DataError: as in ``opened``.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb", buffering=0))
            recording = _recording(Path(name), cast("BinaryIO", Pieces(file, [(begin, begin + size)])))
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; check its name") from None
        except Exception as error:  # any failure of a decoder or the system concerns this clip alone
            raise DataError(_undecodable(Path(name), error)) from None
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
    """Whole content of a pipe, which can be read only once; None for a regular file.

    Raises:
        DataError: the path is neither a file nor a pipe.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return path.read_bytes()
    raise DataError(f"{path}: is {'a folder' if stat.S_ISDIR(mode) else 'no file and no pipe'}; name an audio file")
