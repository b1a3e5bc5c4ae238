"""Checks of labels: types that json can store, and labels that look alike."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from unicodedata import category, normalize

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from mgcl.data.folder import SEPARATOR
from mgcl.errors import ClassifierError
from mgcl.records import Value


def checked_labels(labels: ArrayLike) -> list[Value]:
    """Convert labels to Python's own text, numbers or booleans.

    Args:
        labels: shape (clips,), all text, all numbers or all booleans.

    Raises:
        ClassifierError: a label is missing, or is of another type (a date, bytes, an object); names it.
        ValueError: the labels have another shape, or are numbers that cannot be classes (NaN, infinite, fractions).
    """
    if labels is None:
        raise ClassifierError("requires y to be passed, but the target y is None: give the label of each clip")
    flat = column_or_1d(labels, warn=True)
    if flat.dtype.kind == "f":
        assert_all_finite(flat, input_name="y")
    if flat.dtype.kind in "mM":
        raise ClassifierError(f"labels are dates or times ({flat.dtype}); write them as text: y.astype(str)")
    found = [each.item() if isinstance(each, np.generic) else each for each in flat.tolist()]
    if any(each is None or each != each or each == "" for each in found):
        raise ClassifierError("a label is missing (None, NaN or empty): give every clip one")
    for each in found:
        if not isinstance(each, (str, int, float)):
            raise ClassifierError(f"label {each!r} is a {type(each).__name__}; write labels as text or numbers")
    if len({isinstance(each, str) for each in found}) > 1:
        raise ClassifierError("some labels are text and some are numbers; write all as text")
    check_classification_targets(flat)
    return found


def label_sets(labels: Any) -> list[tuple[Value, ...]]:
    """Convert the labels of clips that may have several to tuples without repetitions.

    Args:
        labels: a set, list or tuple of labels per clip; a matrix of 0 and 1, shape (clips, classes), whose classes are
            0, 1, 2, ...; or one label per clip, shape (clips,).

    Raises:
        ClassifierError: a label is missing, is of another type, or holds ``SEPARATOR``; a matrix holds other numbers.
        ValueError: as in ``checked_labels``.
    """
    if hasattr(labels, "toarray"):  # a sparse matrix
        labels = labels.toarray()
    if getattr(labels, "ndim", 1) == 2:
        matrix = np.asarray(labels)
        if not np.isin(matrix, (0, 1)).all():
            raise ClassifierError("a matrix of labels holds 0 and 1 alone, one column per class")
        return [tuple(np.flatnonzero(row).tolist()) for row in matrix]
    rows = list(labels) if labels is not None else []
    if not any(isinstance(each, (set, frozenset, list, tuple, np.ndarray)) for each in rows):
        return _without_separator([(label,) for label in checked_labels(labels)])
    if one := next((each for each in rows if isinstance(each, str) or not isinstance(each, Iterable)), None):
        raise ClassifierError(f"{one!r} is one label where others are sets: write [{one!r}]")
    sets = [list(dict.fromkeys(each)) for each in rows]
    flat = iter(checked_labels([label for each in sets for label in each]) if any(sets) else ())
    return _without_separator([tuple(next(flat) for _ in each) for each in sets])


def _without_separator(sets: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    for label in (label for each in sets for label in each):
        if isinstance(label, str) and SEPARATOR in label:
            raise ClassifierError(
                f"label {label!r}: {SEPARATOR!r} stands between the labels of a clip; name it otherwise"
            )
    return sets


def indicator(sets: Sequence[Sequence[Value]], classes: Sequence[Value]) -> NDArray[np.int64]:
    """1 where a clip has a class and 0 elsewhere, shape (clips, classes); labels that are no class are left out."""
    return np.array([[label in own for label in classes] for own in sets], np.int64).reshape(len(sets), len(classes))


def near_equal(labels: Iterable[Value]) -> Iterator[list[str]]:
    """Groups of labels that differ only in case, white space, dashes, underscores or Unicode normalization."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        if isinstance(label, str):
            groups.setdefault(_key(label), []).append(label)
    return (alike for alike in groups.values() if len(alike) > 1)


def _key(label: str) -> str:
    """The label in lower case, without spaces, dashes, underscores and invisible characters."""
    plain = normalize("NFKC", label).casefold()
    return "".join(each for each in plain if category(each) not in ("Zs", "Cc", "Cf", "Pd", "Pc"))
