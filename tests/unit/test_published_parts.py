"""Counts of the AV-DIFF paper's Table 1 for UCF-FSL and ActivityNet-FSL, from the published lists of videos."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from mgcl.features import FeatureBank
from mgcl.features.parts import count_clips
from mgcl.features.published_folder import import_published
from tests.published_av_folder import write_folder

LISTS = Path(__file__).parents[3] / "shared" / "facts" / "avca_cls_split"
SHOT = 5
TABLE_1 = {
    "UCF": (
        {"base": 30, "novel-validation": 12, "novel-test": 6},
        {
            ("base", "train"): 3174,
            ("base", "validation"): 353,
            ("novel-validation", "train"): 60,
            ("novel-validation", "validation"): 1407,
            ("novel-test", "train"): 30,
            ("novel-test", "test"): 815,
        },
        (4994, 555),
    ),
    "ActivityNet": (
        {"base": 99, "novel-validation": 51, "novel-test": 48},
        {
            ("base", "train"): 9204,
            ("base", "validation"): 1023,
            ("novel-validation", "train"): 51 * SHOT,
            ("novel-validation", "validation"): 4307 - 51 * SHOT,
            ("novel-test", "train"): 48 * SHOT,
            ("novel-test", "test"): 4052 - 48 * SHOT,
        },
        (14534, 1615),
    ),
}
"""Classes per part, clips per part and split, and base clips of stage 2: training, test."""


def names(folder: Path, part: str) -> list[str]:
    return (folder / f"{part}.txt").read_text().split()


def videos(folder: Path, part: str, classes: list[str]) -> dict[str, list[str]]:
    """Class -> videos, of the listed classes only, as the paper takes them."""
    found: dict[str, list[str]] = defaultdict(list)
    with (folder / f"{part}.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            if row["label"] in classes:
                found[row["label"]].append(row["filename"])
    return dict(found)


def imported(folder: Path, place: Path) -> FeatureBank:
    """Import a folder with the published videos; which of a class are its shots is not published: the first ones."""
    base, first, second = (
        names(folder, part) for part in ("stage_1_train", "stage_1_val_unseen", "stage_2_test_unseen")
    )
    of_first, of_second = videos(folder, "stage_1_val_unseen", first), videos(folder, "stage_2_test_unseen", second)
    clips = {
        "stage_1_train_base": videos(folder, "stage_1_train", base),
        "stage_1_train_novel": {label: each[:SHOT] for label, each in of_first.items()},
        "stage_1_val_seen": videos(folder, "stage_1_val_seen", base),
        "stage_1_val_novel": {label: each[SHOT:] for label, each in of_first.items()},
        "stage_2_test_seen": videos(folder, "stage_2_test_seen", [*base, *first]),
        "stage_2_train_novel": {label: each[:SHOT] for label, each in of_second.items()},
        "stage_2_test_novel": {label: each[SHOT:] for label, each in of_second.items()},
    }
    parts = {"stage_1_base_train": base, "stage_1_novel_train": first, "stage_2_novel_train": second}
    with (folder / "class_names.csv").open(newline="") as lines:
        manual = {row["original"]: row["manual"] for row in csv.DictReader(lines)}
    made = write_folder(place / folder.name, clips=clips, parts=parts, manual=manual, shot=SHOT, sizes=(1, 1), tokens=1)
    return import_published(made, place / "bank", draw=0, words=folder / "word_vectors.npz")


@pytest.mark.skipif(not LISTS.is_dir(), reason="needs the published lists of videos")
@pytest.mark.parametrize("name", TABLE_1)
def test_the_counts_of_table_1(name: str, tmp_path: Path) -> None:
    bank, (classes, clips, (training, test)) = imported(LISTS / name, tmp_path), TABLE_1[name]
    counts, parts = count_clips(bank.clips, bank.classes), bank.classes["part"].to_pylist()
    assert {part: parts.count(part) for part in classes} == classes
    assert {place: counts[place] for place in clips} == clips
    assert sum(counts[part, "test"] for part in ("base", "novel-validation")) == test
    of_base = [(part, split) for part in ("base", "novel-validation") for split in ("train", "validation")]
    assert sum(counts[place] for place in of_base) == training
    assert bank.clips.num_rows == sum(clips.values()) + test


@pytest.mark.skipif(not LISTS.is_dir(), reason="needs the published lists of videos")
def test_every_class_has_the_published_vector_of_its_own_manual_name(tmp_path: Path) -> None:
    folder = LISTS / "UCF"
    bank = imported(folder, tmp_path)
    with np.load(folder / "word_vectors.npz") as words, (folder / "class_names.csv").open(newline="") as lines:
        vectors = dict(zip(words["names"].tolist(), words["vectors"], strict=True))
        manual = {row["original"].lower(): row["manual"] for row in csv.DictReader(lines)}
    assert manual["cleanandjerk"] == "Weight Lifting"
    assert "HandStandPushups" in bank.row_of_class  # the list of names has "HandstandPushups"
    for label, row in bank.row_of_class.items():
        assert np.array_equal(bank.floats("word_vector")[row], vectors[manual[label.lower()]])
