"""Checks of labels: types that json can store, and labels that look alike."""

from collections.abc import Iterable, Iterator
from unicodedata import category, normalize

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

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
