"""Word vectors of class names from a file: an npz of names and vectors, or text in the format of word2vec and fastText.

Names are matched, never their order: class lists of one data set come in several orders and spellings.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mgcl.errors import BankError

Vectors = NDArray[np.float32]


def read_words(file: Path, names: Sequence[str]) -> Vectors:
    """Read the word vectors of classes.

    Args:
        file: an npz file with ``names`` (classes) and ``vectors`` (classes, dimension), or a text file with a word and
            its numbers on a line, and optionally the number of words and the dimension on the first. Vectors of an npz
            file are returned as they are. Those of a text file get unit norm; a name of several words that the file
            does not have as one word gets the mean of its words' unit vectors.
        names: names of the classes.

    Returns:
        Vectors of shape (names, dimension), in the order of ``names``.

    Raises:
        BankError: the file cannot be read, lacks a name, or holds a vector that is zero or not finite.
    """
    if file.suffix == ".npz":
        return match_words(_of_npz(file), names, file)
    return _of_text(file, names)


def match_words(words: Mapping[str, Vectors], names: Sequence[str], file: Path) -> Vectors:
    """Return the vectors of classes by name. Case, spaces and punctuation count only to tell two names apart.

    Args:
        words: word vectors by name, each of shape (dimension).
        names: names of the classes.
        file: file of the vectors, for messages.

    Returns:
        Vectors of shape (names, dimension), in the order of ``names``.

    Raises:
        BankError: a name is missing or fits several vectors, or a vector is wrong.
    """
    alike: dict[str, list[str]] = {}
    for name in words:
        alike.setdefault(letters(name), []).append(name)
    found = {}
    for name in names:
        fitting = [name] if name in words else alike.get(letters(name), [])
        if not fitting:
            raise BankError(f"{file}: no vector for class {name!r}; add one under this name")
        if len(fitting) > 1:
            raise BankError(
                f"{file}: class {name!r} fits {' and '.join(map(repr, fitting))}; name one of them {name!r}"
            )
        found[name] = np.asarray(words[fitting[0]], np.float32)
    return _stacked(found, names, file)


def letters(name: str) -> str:
    """Letters and digits of a name in lower case, by which two spellings of one name are equal.

    >>> letters("ApplyEyeMakeup") == letters("Apply Eye Makeup")
    True
    """
    return "".join(filter(str.isalnum, name)).casefold()


def _of_npz(file: Path) -> dict[str, Vectors]:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            names, vectors = archive["names"], archive["vectors"]
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except (KeyError, ValueError, OSError, EOFError, AttributeError, TypeError, BadZipFile, zlib.error) as error:
        raise BankError(
            f"{file}: not an npz of word vectors ({error}); write `names` and `vectors` with numpy.savez"
        ) from None
    if names.ndim != 1 or names.dtype.kind != "U" or vectors.ndim != 2 or len(vectors) != len(names):
        raise BankError(
            f"{file}: names {names.shape} of {names.dtype} and vectors {vectors.shape}, where strings of shape (n) and "
            "numbers of shape (n, dimension) are needed"
        )
    listed = names.tolist()
    if len(set(listed)) < len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise BankError(f"{file}: name {twice!r} stands {listed.count(twice)} times; keep one")
    return dict(zip(listed, vectors, strict=True))


def _of_text(file: Path, names: Sequence[str]) -> Vectors:
    wanted = {spelling for name in names for each in (name, *_words(name)) for spelling in _spellings(each)}
    known = dict(_lines(file, wanted))

    def vector(text: str) -> Vectors | None:
        fitting = (known[spelling] for spelling in _spellings(text) if spelling in known)
        return next((_unit(each) for each in fitting), None)

    found = {}
    for name in names:
        whole, words = vector(name), _words(name)
        parts = [each for each in map(vector, words) if each is not None]
        missing = [word for word in words if vector(word) is None]
        if whole is None and (missing or not parts):
            raise BankError(
                f"{file}: class {name!r}: no vector for {', '.join(map(repr, missing or [name]))}; use a file that has "
                "it, or an npz of names and vectors"
            )
        found[name] = whole if whole is not None else _unit(np.mean(parts, axis=0))
    return _stacked(found, names, file)


def _lines(file: Path, wanted: set[str]) -> Iterator[tuple[str, Vectors]]:
    """Yield the wanted words of a text file with their vectors; a word's first line counts."""
    seen: set[str] = set()
    dimension = 0
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                cells = line.rstrip().split(" ")
                if number == 1 and len(cells) == 2 and all(cell.isdecimal() for cell in cells):
                    dimension = int(cells[1])
                    continue
                dimension = dimension or len(cells) - 1
                word, *rest = line.rstrip().rsplit(" ", dimension)
                if word not in wanted or word in seen:
                    continue
                seen.add(word)
                try:
                    vector = np.array(rest, np.float32)
                except ValueError:
                    vector = np.empty(0, np.float32)
                if not dimension or len(vector) != dimension:
                    raise BankError(
                        f"{file}: line {number}: not a word and {dimension or 'its'} numbers between single spaces"
                    )
                yield word, vector
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except UnicodeDecodeError:
        raise BankError(
            f"{file}: not a text file; word vectors are .npz, or the text format of word2vec and fastText (.vec)"
        ) from None


def _words(name: str) -> list[str]:
    """Words of a name; a capital after a small letter begins one ("ApplyEyeMakeup")."""
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))


def _spellings(text: str) -> tuple[str, ...]:
    """Spellings of a text as one word, the nearest first."""
    joined = "_".join(text.split())
    return tuple(dict.fromkeys((text, joined, joined.lower())))


def _unit(vector: Vectors) -> Vectors:
    norm = np.linalg.norm(vector)
    return vector if norm == 0 else np.asarray(vector / norm, np.float32)  # zero is refused later, by name


def _stacked(found: Mapping[str, Vectors], names: Sequence[str], file: Path) -> Vectors:
    if not found:
        raise BankError(f"{file}: no class to find a vector for; name at least one")
    dimension = next(iter(found.values())).shape
    for name, vector in found.items():
        if vector.ndim != 1 or vector.shape != dimension:
            raise BankError(f"{file}: {name!r}: shape {vector.shape}, where other names have {dimension}")
        if not np.isfinite(vector).all() or not vector.any():
            raise BankError(f"{file}: {name!r}: the vector is zero or not finite; give it another")
    return np.stack([found[name] for name in names])
