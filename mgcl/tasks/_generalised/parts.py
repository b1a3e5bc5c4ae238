"""The clips of a stage: which it trains on, which shots are drawn, which it tests (AV-DIFF section 3.1 and Table 1).

Classes are base (B), novel of stage 1 (N1) or novel of stage 2 (N2). Stage 1 imitates stage 2 on other classes, so that
what is chosen in it is chosen without a test clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.errors import SweepError
from mgcl.features import FeatureBank
from mgcl.features.parts import NEEDED, SPLITS
from mgcl.seeding import generator

BASE, NOVEL_VALIDATION, NOVEL_TEST = PARTS = tuple(NEEDED)
TRAIN, VALIDATION, TEST = SPLITS

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage. Labels are indices of ``classes``; rows are those of the bank's clips."""

    classes: tuple[str, ...]
    """Base classes, then novel classes, each sorted by name, so that no order of a file matters."""
    base: int
    """Number of base classes."""
    base_rows: Rows
    base_labels: Rows
    novel_rows: Rows
    """The drawn shots."""
    novel_labels: Rows
    tested_rows: Rows
    """Clips of base and novel classes: of validation in stage 1, of test in stage 2."""
    tested_labels: Rows


def stage(bank: FeatureBank, number: int, *, shot: int, identity: Sequence[object]) -> Stage:
    """Collect the clips of stage 1 or 2.

    Args:
        bank: audio-visual bank.
        number: 1 or 2.
        shot: number of clips to draw per novel class.
        identity: what the draw depends on besides data set, class and shot; not the method, so that rows are paired.
    """
    clips = _clips(bank)
    first = number == 1
    of_base = sorted(_classes(bank, BASE) if first else _classes(bank, BASE, NOVEL_VALIDATION))
    of_novel = sorted(_classes(bank, NOVEL_VALIDATION if first else NOVEL_TEST))
    learned, tested = ((TRAIN,), VALIDATION) if first else ((TRAIN, VALIDATION), TEST)
    classes = (*of_base, *of_novel)
    shots = {
        label: _drawn(clips[label, TRAIN], shot, (bank.header.dataset, label, shot, *identity)) for label in of_novel
    }
    return Stage(
        classes,
        len(of_base),
        *_labelled([np.sort(np.concatenate([clips[label, each] for each in learned])) for label in of_base]),
        *_labelled([shots[label] for label in of_novel], first=len(of_base)),
        *_labelled([clips[label, tested] for label in classes]),
    )


def check(bank: FeatureBank, shots: Sequence[int]) -> None:
    """Refuse a bank that cannot be trained and tested on.

    Raises:
        SweepError: a part has no class, or a class too few clips of a split; names it.
    """
    clips, largest = _clips(bank), max(shots)
    needed = {
        BASE: dict.fromkeys(SPLITS, 1),
        NOVEL_VALIDATION: {TRAIN: largest, VALIDATION: 1, TEST: 1},
        NOVEL_TEST: {TRAIN: largest, TEST: 1},
    }
    for part, splits in needed.items():
        classes = _classes(bank, part)
        if not classes:
            raise SweepError(
                f"{bank.path}: no class is of part {part!r}, which this task needs; see its classes' `part`"
            )
        for label in classes:
            for split, least in splits.items():
                if (found := len(clips[label, split])) < least:
                    raise SweepError(
                        f"{bank.path}: class {label!r} ({part}) has {found} clips of split {split!r}, where {least} "
                        f"are needed{'; lower `shots`' if split == TRAIN and part != BASE else ''}"
                    )


def counts(bank: FeatureBank) -> dict[str, int]:
    """Number of classes per part."""
    return {part: len(_classes(bank, part)) for part in PARTS}


def _classes(bank: FeatureBank, *parts: str) -> list[str]:
    pairs = zip(bank.row_of_class, bank.classes["part"].to_pylist(), strict=True)
    return [label for label, part in pairs if part in parts]


def _clips(bank: FeatureBank) -> Mapping[tuple[str, str], Rows]:
    """(Label, split) -> rows of its clips in order of their ids; empty for a pair without clips."""
    ids, labels, splits = (bank.clips[name].to_pylist() for name in ("clip_id", "label", "split"))
    found: dict[tuple[str, str], list[int]] = {(label, split): [] for label in bank.row_of_class for split in SPLITS}
    for _, row in sorted(zip(ids, range(len(ids)), strict=True)):
        found[labels[row], splits[row]].append(row)
    return {place: np.array(rows, dtype=np.intp) for place, rows in found.items()}


def _drawn(rows: Rows, shot: int, identity: Sequence[object]) -> Rows:
    return np.sort(generator("shots", *identity).choice(rows, shot, replace=False))


def _labelled(rows: Sequence[Rows], first: int = 0) -> tuple[Rows, Rows]:
    """All rows, and the index of their class; the first class has index ``first``."""
    labels = np.repeat(np.arange(first, first + len(rows), dtype=np.intp), [len(each) for each in rows])
    return np.concatenate(rows), labels
