"""Parts of classes and splits of clips, as data sets for base and novel classes fix them.

Base classes are trained on in stage 1, which novel-validation classes validate; novel-test classes are new in stage 2.
Of a novel class, ``train`` clips are those that the shots are drawn from.
"""

from collections import Counter
from collections.abc import Collection, Mapping

import pyarrow as pa

from mgcl.errors import BankError
from mgcl.features.schema import CLASSES

SPLITS = ("train", "validation", "test")
"""Values of the column ``split`` of clips."""

NEEDED = {"base": SPLITS, "novel-validation": SPLITS, "novel-test": ("train", "test")}
"""Values of the column ``part`` of classes -> splits in which every class of the part needs a clip."""


def count_clips(clips: pa.Table, classes: pa.Table) -> Counter[tuple[str, str]]:
    """Number of clips per part of their class and split.

    Args:
        clips: table with the columns ``label`` and ``split``.
        classes: table with the columns ``label`` and ``part``.
    """
    part_of = dict(zip(classes["label"].to_pylist(), classes["part"].to_pylist(), strict=True))
    found = zip(clips["label"].to_pylist(), clips["split"].to_pylist(), strict=True)
    return Counter((part_of[label], split) for label, split in found)


def parts_in_words(clips: pa.Table, classes: pa.Table) -> list[str]:
    """Describe every part of a bank that has the columns of ``count_clips``: "base: 18 classes; clips: 360 train"."""
    counts, of_part = count_clips(clips, classes), Counter(classes["part"].to_pylist())
    return [
        f"{part}: {of_part[part]} classes; clips: "
        + ", ".join(f"{counts[part, split]} {split}" for split in SPLITS if counts[part, split])
        for part in NEEDED
        if of_part[part]
    ]


def check_parts(
    files: Mapping[str, pa.Table],
    of_clips: Collection[str],
    classes: pa.Table,
    of_classes: Collection[str],
    folder: str,
) -> None:
    """Refuse unknown splits and parts, and a class without a clip in a split that its part needs.

    Args:
        files: name of a file of clips -> its table, whose labels all have a row in ``classes``.
        of_clips: names of the columns of clips that belong to the bank.
        classes: table of classes.
        of_classes: names of the columns of ``classes`` that belong to the bank.
        folder: folder of the bank, for messages.

    Raises:
        BankError: names the file, the column and the row.
    """
    if "split" in of_clips:
        for file, clips in files.items():
            _check_known(clips, "split", SPLITS, f"{folder}/{file}")
    if "part" in of_classes:
        _check_known(classes, "part", tuple(NEEDED), f"{folder}/{CLASSES}")
    if "split" not in of_clips or "part" not in of_classes:
        return
    if "label" not in of_clips:
        raise BankError(
            f"{folder}/{next(iter(files))}: column 'label' is missing; with 'part' and 'split' a clip has one class"
        )
    there = {
        pair
        for clips in files.values()
        for pair in zip(clips["label"].to_pylist(), clips["split"].to_pylist(), strict=True)
    }
    for row, (label, part) in enumerate(zip(classes["label"].to_pylist(), classes["part"].to_pylist(), strict=True)):
        for split in NEEDED[part]:
            if (label, split) not in there:
                raise BankError(
                    f"{folder}/{CLASSES}: column 'part', row {row}: {label!r} is {part} and has no {split} clip; add "
                    "one, or leave the class out"
                )


def _check_known(table: pa.Table, column: str, known: tuple[str, ...], file: str) -> None:
    for row, value in enumerate(table[column].to_pylist()):
        if value not in known:
            raise BankError(f"{file}: column {column!r}, row {row}: {value!r}; it is one of {', '.join(known)}")
