"""Hashes that the writer records: a bank opens without reading vectors, and what changed is still found."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from mgcl.errors import BankError
from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.copies import nearby
from mgcl.features.header import Header, Tokens
from mgcl.features.writer import write_bank

VIDEO = np.arange(1, 61, dtype=np.float16).reshape(10, 6)


@pytest.fixture
def scenes(tmp_path: Path) -> FeatureBank:
    return write_bank(
        tmp_path / "scenes",
        Header("scenes", "1", "", "drawn", tokens={"audio": Tokens(0.96), "video": Tokens(0.64)}),
        {
            "clip_id": ["x", "y"],
            "label": ["dog", "rain"],
            "audio": [np.ones((2, 3), np.float32), np.full((1, 3), 2, np.float32)],
            "video": Ragged(VIDEO, np.array([0, 7, 10])),
        },
        {"label": ["dog", "rain"], "word_vector": np.eye(2, dtype=np.float32)},
    )


def overwrite(file: Path, old: bytes, new: bytes, *, same_time: bool) -> None:
    """Replace bytes of a file; with ``same_time``, so that neither its size nor its time shows it."""
    before, content = file.stat(), file.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    file.write_bytes(content.replace(old, new))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + (0 if same_time else 1)))


def spoil(bank: FeatureBank, *, same_time: bool) -> None:
    worse = VIDEO.copy()
    worse[3, 2] = np.nan
    overwrite(bank.path / "clips.arrow", VIDEO.tobytes(), worse.tobytes(), same_time=same_time)


def test_opening_and_the_digest_read_no_vector(scenes: FeatureBank) -> None:
    spoil(scenes, same_time=True)
    opened = FeatureBank.open(scenes.path)
    assert opened.digest == scenes.digest
    assert np.isnan(opened.ragged("video")[0][3, 2])


def test_every_value_is_read_if_time_or_size_is_another(scenes: FeatureBank) -> None:
    spoil(scenes, same_time=False)
    with pytest.raises(BankError, match=r"clips.arrow: column 'video', row 0: a number is NaN or infinite"):
        FeatureBank.open(scenes.path)


def test_another_content_has_another_digest_and_verify_names_the_column(scenes: FeatureBank) -> None:
    other = VIDEO.copy()
    other[9, 5] = 0
    overwrite(scenes.path / "clips.arrow", VIDEO.tobytes(), other.tobytes(), same_time=False)
    opened = FeatureBank.open(scenes.path)
    assert opened.digest != scenes.digest
    with pytest.raises(BankError, match=r"column 'video' is not what hashes.json recorded; copy the bank again, or"):
        opened.verify()
    (scenes.path / "hashes.json").unlink()
    assert opened.verify() is False
    assert FeatureBank.open(scenes.path).recorded == opened.digest


def test_verify_finds_what_neither_size_nor_time_shows(scenes: FeatureBank) -> None:
    assert FeatureBank.open(scenes.path).verify()
    other = VIDEO.copy()
    other[9, 5] = 0
    overwrite(scenes.path / "clips.arrow", VIDEO.tobytes(), other.tobytes(), same_time=True)
    with pytest.raises(BankError, match=r"column 'video' is not what hashes.json recorded"):
        FeatureBank.open(scenes.path).verify()


def test_another_header_is_another_bank(scenes: FeatureBank) -> None:
    header = scenes.path / "bank.json"
    header.write_text(header.read_text().replace("0.96", "0.48"))
    opened = FeatureBank.open(scenes.path)
    assert opened.recorded is None
    assert opened.digest != scenes.digest
    with pytest.raises(BankError, match=r"header or columns are not what hashes.json recorded"):
        opened.verify()


def test_a_copy_with_new_times_has_the_same_digest_and_verify_records_it(scenes: FeatureBank, tmp_path: Path) -> None:
    shutil.copytree(scenes.path, tmp_path / "copy", copy_function=shutil.copyfile)
    opened = FeatureBank.open(tmp_path / "copy")
    assert (opened.recorded, opened.digest) == (None, scenes.digest)
    assert opened.verify()
    assert FeatureBank.open(tmp_path / "copy").recorded == scenes.digest


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"digest": "0"}', "\xff"])
def test_a_damaged_file_of_hashes_is_as_none(scenes: FeatureBank, content: str) -> None:
    (scenes.path / "hashes.json").write_text(content, encoding="latin-1")
    assert FeatureBank.open(scenes.path).digest == scenes.digest


def test_the_recorded_hashes_are_the_contents(scenes: FeatureBank) -> None:
    recorded = json.loads((scenes.path / "hashes.json").read_text())
    (scenes.path / "hashes.json").unlink()
    assert FeatureBank.open(scenes.path).digest == recorded["digest"]
    assert list(recorded["columns"]["clips.arrow"]) == ["clip_id", "label", "fold", "source", "audio", "video"]
    assert list(recorded["columns"]["classes.arrow"]) == ["label", "word_vector"]


def test_a_machines_own_copy_opens_without_reading_vectors(
    scenes: FeatureBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGCL_NODE_DIR", str(tmp_path / "node"))
    assert FeatureBank.open(nearby(scenes.path.as_uri())).recorded == scenes.digest


def test_a_truncated_file_is_refused_before_any_hash(scenes: FeatureBank) -> None:
    file = scenes.path / "clips.arrow"
    before, content = file.stat(), file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(BankError, match=r"clips.arrow: truncated, or not an Arrow IPC file"):
        FeatureBank.open(scenes.path)
