"""Banks of shards on storage: only the rows that are used are read, once per machine."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyarrow import fs

from mgcl.errors import BankError
from mgcl.features import FeatureBank, storage
from mgcl.features.columns import Ragged
from mgcl.features.copies import nearby
from mgcl.features.exchange import export_parquet
from mgcl.features.header import Header
from mgcl.features.shards import write_shard
from mgcl.features.writer import seal

ROWS, WIDE = 50, 512
HEADER = Header("sounds", "1", "CC0-1.0", "drawn", WIDE, 30.0, 16000, 1.0, 2)


class Counting:
    """The local file system, which notes the bytes that are read of every file."""

    def __init__(self) -> None:
        self.read: dict[str, int] = {}
        self.requests = 0

    def get_file_info(self, paths: list[str]) -> Any:
        return fs.LocalFileSystem().get_file_info(paths)

    def open_input_file(self, path: str) -> "CountingFile":
        return CountingFile(self, path)


class CountingFile:
    def __init__(self, system: Counting, path: str) -> None:
        self._system, self._name, self._file = system, Path(path).name, fs.LocalFileSystem().open_input_file(path)

    def read(self, count: int | None = None) -> bytes:
        return self._noted(self._file.read(count))

    def read_at(self, count: int, place: int) -> bytes:
        return self._noted(self._file.read_at(count, place))

    def size(self) -> int:
        return int(self._file.size())

    def _noted(self, content: bytes) -> bytes:
        self._system.read[self._name] = self._system.read.get(self._name, 0) + len(content)
        self._system.requests += 1
        return content

    def __enter__(self) -> "CountingFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FeatureBank:
    folder = tmp_path_factory.mktemp("shards")
    (folder / "draft").mkdir()
    random = np.random.default_rng(0)
    for number in range(3):
        rows = range(number * ROWS, (number + 1) * ROWS)
        clips = {
            "clip_id": [f"clip {row}" for row in rows],
            "label": [("dog", "rain")[row % 2] for row in rows],
            "clip_embedding": random.standard_normal((ROWS, WIDE)).astype(np.float32),
            "segment_embeddings": random.standard_normal((ROWS, 2, WIDE)).astype(np.float16),
            "captions": [["one"] * (row % 3) for row in rows],
            "caption_embeddings": Ragged.of(
                [random.standard_normal((row % 3, WIDE)).astype(np.float32) for row in rows]
            ),
        }
        write_shard(folder / "draft", number, HEADER, clips)
    classes = {
        "label": ["dog", "rain"],
        "prompt": ["a dog", "rain"],
        "prompt_embedding": np.eye(2, WIDE, dtype=np.float32),
        "explanations": [["barking"], ["dripping"]],
        "explanation_embeddings": np.ones((2, 1, WIDE), np.float32),
    }
    return seal(folder / "draft", folder / "bank", HEADER, classes)


@pytest.fixture
def stored(made: FeatureBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bank in a folder of its own, to be changed."""
    monkeypatch.setenv("MGCL_NODE_DIR", str(tmp_path / "node"))
    return Path(shutil.copytree(made.path, tmp_path / "bank"))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    system = Counting()

    def from_uri(address: str) -> tuple[Any, str]:
        return system, fs.FileSystem.from_uri(address)[1]

    monkeypatch.setattr(storage, "FileSystem", SimpleNamespace(from_uri=from_uri))
    yield system


def test_only_the_rows_in_use_are_read_and_once(made: FeatureBank, stored: Path, counting: Counting) -> None:
    bank = FeatureBank.open(nearby(stored.as_uri()))
    assert (bank.digest, bank.recorded, bank.clip_records) == (made.digest, made.digest, made.clip_records)
    first = dict(counting.read)
    assert max(first[f"clips-0000{number}.arrow"] for number in range(3)) < 10_000  # of 400,000
    rows = np.array([[120, 3], [4, 120]])
    assert np.array_equal(bank.segment_embeddings[rows], made.segment_embeddings[rows])
    assert np.array_equal(bank.clip_embeddings[rows], made.clip_embeddings[rows])
    read = {name: count - first[name] for name, count in counting.read.items()}
    assert read["clips-00000.arrow"] == 2 * (2 * WIDE * 2 + WIDE * 4)  # rows 3 and 4
    assert read["clips-00001.arrow"] == 0
    assert read["clips-00002.arrow"] == 2 * WIDE * 2 + WIDE * 4  # row 120, once
    before = dict(counting.read)
    for again in (bank, FeatureBank.open(nearby(stored.as_uri(), digest=made.digest))):
        assert np.array_equal(again.segment_embeddings[rows], made.segment_embeddings[rows])
    assert counting.read == before
    bank.check_unchanged()


def test_neighbours_are_one_request_and_ragged_columns_are_filled_too(
    made: FeatureBank, stored: Path, counting: Counting
) -> None:
    bank = FeatureBank.open(nearby(stored.as_uri()))
    before = counting.requests
    assert np.array_equal(bank.clip_embeddings[10:20], made.clip_embeddings[10:20])
    assert counting.requests == before + 1
    assert np.array_equal(bank.clip_embeddings[5:25], made.clip_embeddings[5:25])
    assert counting.requests == before + 3
    captions, expected = bank.ragged("captions"), made.ragged("captions")
    for row in (0, 2, 149):
        assert np.array_equal(captions[row], expected[row])
    assert np.array_equal(np.asarray(captions.values), np.asarray(expected.values))


def test_a_filler_that_died_leaves_a_hole_and_no_wrong_number(
    made: FeatureBank, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = nearby(stored.as_uri())
    if (child := os.fork()) == 0:
        monkeypatch.setattr(os, "pwrite", dies)
        assert FeatureBank.open(copy).clip_embeddings[7].size
    os.waitpid(child, 0)
    assert np.array_equal(FeatureBank.open(copy).clip_embeddings[7], made.clip_embeddings[7])


def dies(*_: object) -> None:
    os._exit(9)


def test_a_shard_that_changes_on_the_storage_is_refused(made: FeatureBank, stored: Path) -> None:
    bank = FeatureBank.open(nearby(stored.as_uri()))
    assert np.array_equal(bank.clip_embeddings[0], made.clip_embeddings[0])
    os.utime(stored / "clips-00001.arrow", (1, 1))
    assert np.array_equal(bank.clip_embeddings[:50], made.clip_embeddings[:50])
    for _ in range(2):
        with pytest.raises(BankError, match=r"bank: clips-00001.arrow was changed since the bank was opened; start"):
            bank.clip_embeddings[60]
    again = FeatureBank.open(nearby(stored.as_uri()))
    assert np.array_equal(again.clip_embeddings[60], made.clip_embeddings[60])
    shutil.rmtree(stored)
    assert np.array_equal(again.clip_embeddings[60], made.clip_embeddings[60])
    with pytest.raises(BankError, match=r"bank: .*clips-00001.arrow"):
        again.clip_embeddings[61]


def test_what_needs_every_value_is_refused(stored: Path, tmp_path: Path) -> None:
    bank = FeatureBank.open(nearby(stored.as_uri()))
    with pytest.raises(BankError, match=r"has only the rows that were in use; check the bank at file://"):
        bank.verify()
    with pytest.raises(BankError, match=r"has only the rows that were in use; export the bank at file://"):
        export_parquet(bank, tmp_path / "parquet")
    assert not (tmp_path / "parquet").exists()


def test_a_missing_or_damaged_shard_leaves_no_copy(stored: Path, tmp_path: Path) -> None:
    os.truncate(stored / "clips-00002.arrow", 1000)
    with pytest.raises(BankError, match=r"bank.*clips-00002.arrow|cannot be copied"):
        nearby(stored.as_uri())
    (stored / "clips-00002.arrow").unlink()
    with pytest.raises(BankError, match=r"no clips-00002.arrow there; a feature bank is"):
        nearby(stored.as_uri())
    assert [each.name for each in (tmp_path / "node" / "banks").iterdir()] == [".lock"]


def test_a_copy_that_lost_a_file_is_made_again(made: FeatureBank, stored: Path) -> None:
    copy = nearby(stored.as_uri())
    assert copy.name.startswith(f"{made.digest}-")
    (copy / "clips-00000.arrow").unlink()
    assert nearby(stored.as_uri(), digest=made.digest) == copy
    assert np.array_equal(FeatureBank.open(copy).clip_embeddings[3], made.clip_embeddings[3])
