"""The folder of published audio-visual features that comes with AV-DIFF (Mercea et al., 2023), as it lies on the disk.

DIR/class-split/K-shot/stage_1_base_train.txt ...                names of the classes of a part, one a line
DIR/features/K-shot/{audio,video}/SPLIT/CLASS.pkl                features and video_names of a class's clips
DIR/features/K-shot/text/word_embeddings_*.npy                   word vectors, by name
DIR/**/*_w2v_class_names.csv                                     original name of a class -> name of its word vector
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgcl.errors import BankError
from mgcl.features.material import read_csv
from mgcl.features.pickles import read_object_array, read_pickle
from mgcl.language.words import Vectors, letters, match_words, read_words

DRAWS = ("", "_1", "_2")
"""Endings of the folders of the three published draws of novel shots."""

_PARTS = {
    "base": "stage_1_base_train",
    "novel-validation": "stage_1_novel_train",
    "novel-test": "stage_2_novel_train",
}
"""Part -> name of the list of its classes."""
_SPLITS = {
    "stage_1_train_base": ("train", ("base",)),
    "stage_1_train_novel": ("train", ("novel-validation",)),
    "stage_1_val_seen": ("validation", ("base",)),
    "stage_1_val_novel": ("validation", ("novel-validation",)),
    "stage_2_test_seen": ("test", ("base", "novel-validation")),
}
"""Folder -> split of its clips, and the parts that its classes may have."""


def shot_folder(folder: Path, shot: int | None) -> str:
    """Name of the folder K-shot of a number of shots; None: the only one that there is.

    Raises:
        BankError: there is no such folder, or there are several and ``shot`` names none; lists them.
    """
    there = sorted(each.name for each in (folder / "features").glob("*-shot") if each.is_dir())
    if not there:
        raise BankError(f"{folder}: no folder features/K-shot; name the folder that holds features and class-split")
    wanted = there[0] if shot is None and len(there) == 1 else f"{shot}-shot"
    if wanted not in there:
        raise BankError(f"{folder / 'features'}: holds {', '.join(there)}; name one of them with `shot`")
    return wanted


def read_parts(folder: Path) -> dict[str, str]:
    """Return class -> part.

    Raises:
        BankError: a list of classes is missing, or two hold one class; names the list.
    """
    parts: dict[str, str] = {}
    for part, name in _PARTS.items():
        file = folder / f"{name}.txt"
        try:
            labels = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except FileNotFoundError:
            raise BankError(f"{file}: missing; it lists the {part} classes") from None
        for label in labels:
            if label in parts:
                raise BankError(f"{file}: {label!r} is already {parts[label]}; a class has one part")
            parts[label] = part
    return parts


def word_vectors(folder: Path, text: Path, classes: Sequence[str], words: Path | None) -> Vectors:
    """Word vectors of the classes, shape (classes, dimension), each found by the class's own name.

    Args:
        folder: folder of published features, whose tables of names are used.
        text: its folder of word vectors.
        classes: the classes, in the order of the rows.
        words: file of word vectors to take instead, for ``mgcl.language.words.read_words``.

    Raises:
        BankError: no file of word vectors is there, several are, or it lacks a class.
    """
    listed = sorted(folder.rglob("*_w2v_class_names.csv"))
    manual: dict[str, str] = {}
    for file in listed:
        cells = read_csv(file, ("original", "manual"))
        manual |= {letters(one): other for one, other in zip(cells["original"], cells["manual"], strict=True)}
    names = [manual.get(letters(label), label) for label in classes]
    if words is not None:
        return read_words(words, names)
    files = sorted(text.glob("word_embeddings_*.npy"))
    if len(files) != 1:
        raise BankError(f"{text}: {len(files)} files word_embeddings_*.npy, where one is needed; give `words`")
    found = read_object_array(files[0])
    if not isinstance(found, dict):
        raise BankError(f"{files[0]}: holds no names with their vectors; give `words`")
    return match_words(found, names, files[0])


def folders(draw: int | None) -> Iterator[tuple[str, tuple[str, ...], str, bool]]:
    """Yield split, allowed parts, folder, and whether its classes' clips may be in an earlier folder, which counts."""
    for place, (split, allowed) in _SPLITS.items():
        yield split, allowed, place, False
    draws = DRAWS if draw is None else DRAWS[draw : draw + 1]
    for split in ("train", "test"):
        for ending in draws:
            yield split, ("novel-test",), f"stage_2_{split}_novel{ending}", draw is None


def classes_of(
    features: Path, place: str, parts: dict[str, str], allowed: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Yield the classes of a folder, and the names of their files.

    Args:
        features: folder ``features/K-shot``.
        place: name of the folder of clips, in those of both modalities.
        parts: class -> part.
        allowed: parts that the classes may have.

    Raises:
        BankError: the folder has no file of a class, or one of a class that is in no list or of another part.
    """
    label_of = {letters(label): label for label in parts}
    names = sorted({file.name for each in ("audio", "video") for file in (features / each / place).glob("*.pkl")})
    if not names:
        raise BankError(f"{features / 'video' / place}: no file CLASS.pkl; copy the folder again")
    for name in names:
        label = label_of.get(letters(Path(name).stem))
        if label is None or parts[label] not in allowed:
            its_part = parts.get(label or "", "in no list of classes")
            raise BankError(
                f"{features / 'video' / place / name}: this class is {its_part}, where {' or '.join(allowed)} is "
                "needed; remove the file, or mend the lists of class-split"
            )
        yield label, name


def read_class(file: Path) -> dict[str, NDArray[Any]]:
    """Return clip -> its features; empty if there is no such file, because the class lacks the modality there.

    Raises:
        BankError: the file is no pickle of arrays, has other content, or has a clip twice; names it.
    """
    if not file.exists():
        return {}
    content = read_pickle(file)
    try:
        names, arrays = [str(name) for name in content["video_names"]], list(content["features"])
        found = {name: np.asarray(array) for name, array in zip(names, arrays, strict=True)}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BankError(f"{file}: not features and video_names, one entry a clip ({error!r}); copy it again") from None
    if len(found) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BankError(f"{file}: {twice!r} stands {names.count(twice)} times; keep one")
    return found
