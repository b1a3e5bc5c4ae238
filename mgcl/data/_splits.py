"""The classes of a fold: published subsets, seeded subsets, or all classes."""

import json
import re
from collections.abc import Collection, Mapping
from importlib.resources import files

from mgcl.errors import SweepError
from mgcl.records import Fold
from mgcl.seeding import generator

PROTOCOLS: Mapping[str, tuple[int | None, int | None]] = {"treff": (None, None), "mgcl": (5, 15)}
"""Protocol -> ``count`` and ``size`` of ``folds``: the published subsets, or five seeded subsets of 15 classes."""


def folds(
    dataset: str, labels: Collection[str], *, count: int | None = None, size: int | None = None
) -> tuple[Fold, ...]:
    """Return the folds of a data set.

    Args:
        dataset: name of the data set. ESC-50 and FSDKaggle18, in any spelling, have published folds.
        labels: classes of the bank.
        count: number of seeded subsets to draw instead of published folds; needs ``size``.
        size: number of classes per seeded subset; needs ``count``.

    Returns:
        The seeded subsets if ``count`` is given, each a function of (dataset, labels, size, index) alone; else the
        published folds; else one fold of all classes.

    Raises:
        SweepError: only one of ``count`` and ``size`` is given, one is out of range, or the bank lacks a class of the
            published folds.
    """
    if count is not None or size is not None:
        return _seeded(dataset, sorted(labels), count, size)
    published = published_subsets(dataset)
    if published is None:
        return (Fold("all", 0, tuple(sorted(labels))),)
    missing = sorted({label for fold in published for label in fold} - set(labels))
    if missing:
        raise SweepError(
            f"the published folds of {dataset} need classes that the bank lacks: {', '.join(missing)}; "
            "draw seeded subsets of what it holds with `folds` N `fold_classes` M"
        )
    return tuple(Fold("published", index, tuple(sorted(fold))) for index, fold in enumerate(published))


def published_subsets(dataset: str) -> list[list[str]] | None:
    """Return the classes of every published fold. None: the data set has no published folds.

    Spelling does not matter: ESC-50 is esc50, and FSDKaggle2018 is fsdkaggle18.
    """
    name = re.sub(r"[^a-z0-9]", "", dataset.lower()).replace("2018", "18")
    published: dict[str, list[list[str]]] = json.loads(
        files("mgcl.data").joinpath("published_folds.json").read_text(encoding="utf-8")
    )["folds"]
    return published.get(name)


def _seeded(dataset: str, labels: list[str], count: int | None, size: int | None) -> tuple[Fold, ...]:
    if count is None or size is None:
        raise SweepError("`folds` and `fold_classes` go together: how many subsets, of how many classes each")
    if count < 1 or not 2 <= size <= len(labels):
        raise SweepError(
            f"`folds` {count} `fold_classes` {size}: at least 1 fold, and 2 to {len(labels)} classes in each"
        )
    subsets = (generator("fold", dataset, labels, size, index).permutation(labels)[:size] for index in range(count))
    return tuple(Fold("seeded", index, tuple(sorted(map(str, subset)))) for index, subset in enumerate(subsets))
