"""Pickles of arrays from elsewhere, read by an unpickler that builds arrays and plain containers and nothing else.

A pickle is a program: it may name any function of Python and call it. Every name but those listed here is refused
before anything is called.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np

from mgcl.errors import BankError


def read_pickle(file: Path) -> Any:
    """Read a pickle of NumPy arrays, numbers, strings and plain containers.

    Raises:
        BankError: the file cannot be read, or names another object; names the file and the object.
    """
    try:
        with file.open("rb") as stream:
            return _loaded(stream, file)
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None


def read_object_array(file: Path) -> Any:
    """Read the one object that ``numpy.save`` pickled into an npy file, such as a dictionary of arrays.

    Raises:
        BankError: the file cannot be read, holds no single object, or names an object that is refused.
    """
    try:
        with file.open("rb") as stream:
            version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(stream)  # type: ignore[no-untyped-call]
            found = _loaded(stream, file) if dtype.hasobject and shape == () else None
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except ValueError as error:
        raise BankError(f"{file}: not an npy file ({error}); copy it again from its source") from None
    if not isinstance(found, np.ndarray) or found.shape != ():
        raise BankError(f"{file}: {dtype} of shape {shape}, where one pickled object is needed")
    return found.item()


def _loaded(stream: IO[bytes], file: Path) -> Any:
    try:
        return _Unpickler(stream, file).load()
    except BankError:
        raise
    except Exception as error:  # a damaged pickle raises whatever the objects that it builds raise
        reason = str(error) or type(error).__name__
        raise BankError(
            f"{file}: truncated, or not a pickle of arrays ({reason}); copy it again from its source"
        ) from None


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], file: Path) -> None:
        super().__init__(stream, encoding="latin1")  # so that arrays pickled by Python 2 can be read
        self._file = file

    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get((module.replace("numpy._core", "numpy.core"), name))
        if found is None:
            raise BankError(
                f"{self._file}: refused: it names {module}.{name}, which is neither an array nor a plain container; a "
                "pickle can run what it names: do not open this file elsewhere, copy it again from a source that you "
                "trust"
            )
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise BankError(f"{self._file}: refused: it refers to an object outside itself ({pid!r}); copy it again")


def _encode(text: str, encoding: str) -> bytes:
    """Bytes of a string, as pickles of protocol 2 write them: as Latin-1."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes are written in {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Empty bytes, which pickles of protocol 2 write as a call of ``bytes`` without arguments."""
    return b""


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any, axis_order: Any = None) -> Any:
    """Array from its bytes, as pickles of protocol 5 write it."""
    if axis_order is None:
        return np.frombuffer(content, dtype=dtype).reshape(shape, order=order)
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="C").transpose(axis_order)


_RECONSTRUCT, _SCALAR = np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0]

_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    ("__builtin__", "bytes"): _no_bytes,
    **{(module, each.__name__): each for module in ("builtins", "__builtin__") for each in (set, frozenset)},
}
"""Objects that a pickle may name, by module and name."""
