"""Parts of classes and splits of clips are checked by file, column and row."""

from pathlib import Path

import numpy as np
import pytest

from mgcl.errors import BankError
from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.parts import count_clips
from mgcl.features.writer import write_bank

LABELS = ["dog"] * 3 + ["rain"] * 3 + ["bell"] * 2
SPLITS = ["train", "validation", "test", "train", "validation", "test", "train", "test"]


def write(path: Path, *, clips: dict | None = None, classes: dict | None = None, gaps: bool = False) -> FeatureBank:
    rows = len(LABELS)
    of_clips = {
        "clip_id": [f"{row}" for row in range(rows)],
        "label": LABELS,
        "audio": Ragged(np.ones((rows, 3), np.float32), np.arange(rows + 1)),
        "video": Ragged(np.ones((rows, 2), np.float16), np.arange(rows + 1)),
        "split": SPLITS,
    }
    of_classes = {
        "label": ["bell", "dog", "rain"],
        "word_vector": np.eye(3, dtype=np.float32),
        "part": ["novel-test", "base", "novel-validation"],
    }
    tokens = {"audio": Tokens(0.96, gaps), "video": Tokens(0.64, gaps)}
    header = Header("av", "1", "", "drawn", tokens=tokens)
    return write_bank(path, header, of_clips | (clips or {}), of_classes | (classes or {}))


def test_clips_are_counted_per_part_and_split(tmp_path: Path) -> None:
    bank = write(tmp_path / "bank")
    counts = count_clips(bank.clips, bank.classes)
    assert len(counts) == 8
    assert set(counts.values()) == {1}
    assert counts["novel-test", "validation"] == 0


WORDLESS = np.array([[1, 0], [0, 0], [0, 1]], np.float32)
FEWER = Ragged(np.ones((8, 3), np.float32), np.array([0, 1, 1, 3, 4, 5, 6, 7, 8]))
WRONG = {
    "split": ({"clips": {"split": ["train", "val", *SPLITS[2:]]}}, r"clips.arrow: column 'split', row 1: 'val'; it is"),
    "part": (
        {"classes": {"part": ["novel", "base", "base"]}},
        r"classes.arrow: column 'part', row 0: 'novel'; it is one of base, novel-validation, novel-test",
    ),
    "no clip": (
        {"clips": {"split": ["train", "train", *SPLITS[2:]]}},
        r"classes.arrow: column 'part', row 1: 'dog' is base and has no validation clip; add one, or leave the class",
    ),
    "novel needs train": (
        {"clips": {"split": [*SPLITS[:6], "test", "test"]}},
        "'bell' is novel-test and has no train clip",
    ),
    "no class": (
        {"clips": {"label": ["cat", *LABELS[1:]]}},
        "column 'label', row 0: 'cat' has no row in classes.arrow",
    ),
    "several labels": (
        {"clips": {"label": None, "labels": [[label] for label in LABELS]}},
        "column 'label' is missing; with 'part' and 'split' a clip has one class",
    ),
    "zero word": (
        {"classes": {"word_vector": WORDLESS}},
        "column 'word_vector', row 1: all numbers are 0; give 'dog' a vector of its own",
    ),
    "word not finite": (
        {"classes": {"word_vector": np.full((3, 2), np.inf, np.float32)}},
        "column 'word_vector', row 0: a number is NaN",
    ),
    "no tokens": ({"clips": {"audio": FEWER}}, r"column 'audio', row 1: no tokens; .*tokens.audio.gaps of bank.json"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str, tmp_path: Path) -> None:
    changes, message = WRONG[case]
    with pytest.raises(BankError, match=message):
        write(tmp_path / "bank", **changes)


def test_gaps_and_columns_alone_are_allowed(tmp_path: Path) -> None:
    assert write(tmp_path / "gaps", clips={"audio": FEWER}, gaps=True).ragged("audio").lengths[1] == 0
    write(tmp_path / "no part", classes={"part": None}, clips={"split": ["train"] * 8})
    write(tmp_path / "no split", clips={"split": None})
