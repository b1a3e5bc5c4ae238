"""Banks of shards: written file by file, sealed without reading a vector, and refused by file."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mgcl.errors import BankError
from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.gathered import Gathered
from mgcl.features.header import Header
from mgcl.features.shards import read_shard, write_shard
from mgcl.features.writer import seal, write_bank

HEADER = Header("sounds", "1", "CC0-1.0", "drawn", 4, 30.0, 16000, 1.0, 3)
CLASSES = {
    "label": ["dog", "rain"],
    "prompt": ["a dog", "rain"],
    "prompt_embedding": np.eye(2, 4, dtype=np.float32),
    "explanations": [["barking"], ["dripping"]],
    "explanation_embeddings": np.ones((2, 1, 4), np.float32),
}
PARTS = ((0, 4), (4, 4), (4, 10))
"""Clips of the shards; the second one has none."""


def clips(first: int, last: int, number: type = np.float16) -> dict[str, Any]:
    """Columns of some of ten clips."""
    random = np.random.default_rng(0)
    clip, segments, captions = (random.standard_normal((10, *size)) for size in ((4,), (3, 4), (2, 4)))
    rows = range(first, last)
    return {
        "clip_id": [f"clip {row}" for row in rows],
        "label": [("dog", "rain")[row % 2] for row in rows],
        "clip_embedding": clip[first:last].astype(np.float32),
        "segment_embeddings": segments[first:last].astype(number),
        "captions": [["one"] * (row % 3) for row in rows],
        "caption_embeddings": Ragged(
            np.concatenate([np.empty((0, 4)), *(captions[row, : row % 3] for row in rows)]).astype(np.float32),
            np.cumsum([0, *(row % 3 for row in rows)]),
        ),
    }


def write_shards(folder: Path) -> Path:
    folder.mkdir()
    for number in reversed(range(len(PARTS))):
        write_shard(folder, number, HEADER, clips(*PARTS[number]), about={"left_out": {"x": "silent"}})
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FeatureBank:
    folder = tmp_path_factory.mktemp("shards")
    return seal(write_shards(folder / "draft"), folder / "bank", HEADER, CLASSES)


@pytest.fixture
def broken(made: FeatureBank, tmp_path: Path) -> Path:
    """A copy of the bank with the files' times, to be broken."""
    return Path(shutil.copytree(made.path, tmp_path / "bank"))


def test_rows_are_those_of_a_bank_of_one_file(made: FeatureBank, tmp_path: Path) -> None:
    one = write_bank(tmp_path / "one", HEADER, clips(0, 10), CLASSES)
    assert made.clips.num_rows == 10
    assert made.clip_records == one.clip_records
    assert made.columns == one.columns
    rows = np.array([[9, 0, 3], [4, 9, -1]])
    for name in ("clip_embeddings", "segment_embeddings"):
        found, expected = getattr(made, name), getattr(one, name)
        assert isinstance(found, Gathered)
        assert found.shape == expected.shape
        assert found[rows].dtype == np.float32
        assert np.array_equal(found[rows], expected[rows])
        assert np.array_equal(found[2:8], expected[2:8])
        assert np.array_equal(found[5], expected[5])
        assert np.array_equal(found, expected)
        assert found[np.arange(0)].shape == (0, *expected.shape[1:])
    for row in range(10):
        assert np.array_equal(made.ragged("captions")[row], one.ragged("captions")[row])
    assert np.array_equal(made.ragged("captions").lengths, one.ragged("captions").lengths)
    with pytest.raises(IndexError, match=r"rows 0 to 10 .*, where there are 10"):
        made.clip_embeddings[np.array([0, 10])]


def test_the_digest_is_of_the_content_and_opening_reads_no_vector(made: FeatureBank, broken: Path) -> None:
    value = clips(0, 10)["clip_embedding"][7]
    spoil(broken / "clips-00002.arrow", value.tobytes(), same_time=True)
    opened = FeatureBank.open(broken)
    assert opened.recorded == opened.digest == made.digest
    with pytest.raises(BankError, match=r"clips-00002.arrow: its values are not those that it was written with"):
        opened.verify()


def spoil(file: Path, old: bytes, *, same_time: bool) -> None:
    """Overwrite a vector with zeros; with ``same_time``, so that neither the file's size nor its time shows it."""
    before, content = file.stat(), file.read_bytes()
    assert content.count(old) == 1
    file.write_bytes(content.replace(old, bytes(len(old))))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + (0 if same_time else 1)))


def test_a_shard_with_a_new_time_is_read_again(made: FeatureBank, broken: Path) -> None:
    os.utime(broken / "clips-00002.arrow", (1, 1))
    opened = FeatureBank.open(broken)
    assert (opened.recorded, opened.digest) == (None, made.digest)
    assert opened.verify()
    assert FeatureBank.open(broken).recorded == made.digest
    spoil(broken / "clips-00002.arrow", clips(0, 10)["clip_embedding"][7].tobytes(), same_time=False)
    with pytest.raises(BankError, match=r"clips-00002.arrow: its values are not those"):
        FeatureBank.open(broken)


def test_classes_that_were_written_since_are_read_again(broken: Path) -> None:
    file = broken / "classes.arrow"
    table = pa.ipc.open_file(file).read_all()
    place = table.schema.get_field_index("prompt_embedding")
    wrong = pa.FixedSizeListArray.from_arrays(pa.array(np.full(8, np.nan, np.float32)), 4)
    with pa.ipc.new_file(broken / "other.arrow", table.schema) as writer:
        writer.write_table(pa.table([*table.columns[:place], wrong, *table.columns[place + 1 :]], table.schema))
    (broken / "other.arrow").replace(file)
    with pytest.raises(BankError, match=r"classes.arrow: column 'prompt_embedding', row 0: a number is NaN"):
        FeatureBank.open(broken)


def remake(file: Path, number: int = 2, header: Header = HEADER, **columns: Any) -> None:
    write_shard(file, number, header, {**clips(*PARTS[number]), **columns})


BROKEN_DRAFTS = {
    "missing": (
        lambda folder: (folder / "clips-00001.arrow").unlink(),
        r"clips-00001.arrow: missing; write this shard",
    ),
    "truncated": (
        lambda folder: os.truncate(folder / "clips-00002.arrow", 400),
        r"clips-00002.arrow: truncated, or not an Arrow IPC file",
    ),
    "another backbone": (
        lambda folder: remake(folder, header=replace(HEADER, backbone="heard")),
        r"clips-00002.arrow: written for a bank with backbone .*'heard'.*, where this one has .*'drawn'",
    ),
    "another type": (
        lambda folder: remake(folder, segment_embeddings=clips(4, 10, np.float32)["segment_embeddings"]),
        r"clips-00002.arrow: column 'segment_embeddings' is list<.*float>.*, and list<.*halffloat>.* in clips-00000",
    ),
    "another column": (
        lambda folder: remake(folder, mel_statistics=np.ones((6, 5))),
        r"clips-00002.arrow: column 'mel_statistics' is .*, and missing in clips-00000.arrow",
    ),
    "a clip twice": (
        lambda folder: remake(folder, clip_id=["clip 1", *(f"clip {row}" for row in range(5, 10))]),
        r"clips-00002.arrow: column 'clip_id', row 0: 'clip 1' stands 2 times, first in .*clips-00000.arrow.*, row 1",
    ),
    "an unknown label": (
        lambda folder: remake(folder, label=["dog", "cat", *["dog"] * 4]),
        r"clips-00002.arrow: column 'label', row 1: 'cat' has no row in classes.arrow",
    ),
    "no shard": (
        lambda folder: shutil.copy(folder.parent / "one" / "clips.arrow", folder / "clips-00003.arrow"),
        r"clips-00003.arrow: not a shard of a bank; remove the file",
    ),
}


@pytest.mark.parametrize("name", BROKEN_DRAFTS)
def test_what_is_no_bank_is_not_sealed(name: str, tmp_path: Path) -> None:
    change, words = BROKEN_DRAFTS[name]
    folder = write_shards(tmp_path / "draft")
    write_bank(tmp_path / "one", HEADER, clips(0, 10), CLASSES)
    change(folder)
    with pytest.raises(BankError, match=words):
        seal(folder, tmp_path / "bank", HEADER, CLASSES)
    assert not (tmp_path / "bank").exists()


def test_a_number_of_shards_is_kept_to(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "draft")
    with pytest.raises(BankError, match=r"clips-00003.arrow: missing"):
        seal(folder, tmp_path / "bank", HEADER, CLASSES, shards=4)
    with pytest.raises(BankError, match=r"clips-00002.arrow: there should be 2 shards"):
        seal(folder, tmp_path / "bank", HEADER, CLASSES, shards=2)


def dies(*_: object) -> None:
    os._exit(9)


def test_a_writer_that_was_killed_leaves_a_folder_that_can_be_sealed(
    made: FeatureBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_shards(tmp_path / "draft")
    (folder / "clips-00001.arrow").unlink()
    if (child := os.fork()) == 0:  # a writer that dies between its file and the file's name
        monkeypatch.setattr(Path, "replace", dies)
        write_shard(folder, 1, HEADER, clips(4, 4))
    os.waitpid(child, 0)
    assert len(list(folder.glob(".draft-*"))) == 1
    with pytest.raises(BankError, match=r"clips-00001.arrow: missing; write this shard"):
        seal(folder, tmp_path / "bank", HEADER, CLASSES)
    write_shard(folder, 1, HEADER, clips(4, 4))
    bank = seal(folder, tmp_path / "bank", HEADER, CLASSES, extraction={"left_out": {"x": "silent"}})
    assert bank.digest == made.digest
    assert bank.left_out == {"x": "silent"}
    assert not list(bank.path.glob(".draft-*"))
    with pytest.raises(BankError, match="exists already"):
        seal(folder, tmp_path / "bank", HEADER, CLASSES)


def test_what_a_shard_says_of_itself(made: FeatureBank) -> None:
    shard = read_shard(made.path / "clips-00002.arrow")
    assert (shard.rows, shard.about) == (6, {"left_out": {"x": "silent"}})
    assert [each.digest for each in made.shards][2] == shard.digest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda folder: (folder / "clips-00001.arrow").unlink(),
            r"clips-00001.arrow: missing; bank.json lists it: copy",
        ),
        (
            lambda folder: shutil.copy(folder / "clips-00000.arrow", folder / "clips-00002.arrow"),
            r"clips-00002.arrow: 4 clips with digest \w+, where bank.json lists 6 with \w+; copy both again",
        ),
        (lambda folder: os.truncate(folder / "clips-00000.arrow", 99), r"clips-00000.arrow: truncated"),
        (
            lambda folder: (folder / "bank.json").write_text((folder / "bank.json").read_text().replace('rows"', 'r"')),
            r"bank.json: shards: not a list of rows and digests",
        ),
    ],
)
def test_a_damaged_bank_is_refused_on_opening(broken: Path, change: Any, words: str) -> None:
    change(broken)
    with pytest.raises(BankError, match=words):
        FeatureBank.open(broken)


def test_a_bad_value_is_refused_when_it_is_written(tmp_path: Path) -> None:
    bad = clips(0, 4)
    bad["segment_embeddings"][2, 1, 0] = np.nan
    with pytest.raises(BankError, match=r"clips-00005.arrow: column 'segment_embeddings', row 2: a number is NaN"):
        write_shard(tmp_path, 5, HEADER, bad)
    assert not list(tmp_path.iterdir())


def test_a_column_of_arrow_is_not_copied(made: FeatureBank) -> None:
    before = pa.total_allocated_bytes()
    opened = FeatureBank.open(made.path)
    assert opened.clips["segment_embeddings"].num_chunks >= 2
    assert json.loads((made.path / "bank.json").read_text())["shards"][0]["rows"] == 4
    assert pa.total_allocated_bytes() - before < 4096
