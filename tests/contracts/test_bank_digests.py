"""A bank's digest is hashed into the key of every trial on it: what FORMAT 1 could hold keeps the digest it had."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mgcl.events import Event
from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.writer import write_bank
from tests.generated_bank import write_generated_bank

KEPT = Path(__file__).with_name("format_1")
"""Two banks that commit a076928 wrote: one with captions and mel statistics, one without."""

DIGESTS = {
    "captioned": "000c9da2d560e7760d1eb9efcf8c642b33622f5f0e5edab17589338580ef114a",
    "plain": "c7a6b8338bb26c903897943f2a83179545c59c3a726b1775f4eedd980aa44beb",
}


def numbers(*shape: int, first: int) -> np.ndarray:
    """Numbers that float32 holds exactly, as the kept banks have them."""
    return ((np.arange(np.prod(shape), dtype=np.float32) + first) / 64).reshape(shape)


def test_the_digest_of_the_real_bank(real_bank: FeatureBank) -> None:
    assert real_bank.digest == "a5434203fabc0501b8800f6cc8c1f19edf61cc65e03596c61cc0ebc260ef9ab4"


def test_the_digest_of_generated_banks(bank: FeatureBank, tmp_path: Path) -> None:
    assert bank.digest == "caa28e6494e4e68c1b49810a27375993bbd7209065230bec042ec0357f4e09f4"
    default = write_generated_bank(tmp_path / "bank")
    assert default.digest == "bcdca70bd99715a70082530267188b21c6a3535db471c6b1270d716e8d62b07b"


@pytest.mark.parametrize("name", DIGESTS)
def test_a_kept_bank_has_the_digest_that_was_recorded(name: str) -> None:
    assert FeatureBank.open(KEPT / name).digest == DIGESTS[name]


@pytest.mark.parametrize("name", DIGESTS)
def test_a_kept_bank_gives_the_arrays_that_were_written(name: str) -> None:
    bank, captioned = FeatureBank.open(KEPT / name), name == "captioned"
    assert np.array_equal(bank.clip_embeddings, numbers(5, 4, first=1))
    assert np.array_equal(bank.segment_embeddings, numbers(5, 3, 4, first=2))
    assert np.array_equal(bank.prompt_embeddings, numbers(2, 4, first=4))
    assert np.array_equal(bank.explanation_embeddings, numbers(2, 2, 4, first=5))
    assert bank.captioned == captioned
    if captioned:
        assert np.array_equal(bank.caption_embeddings, numbers(5, 4, first=3))
        assert np.array_equal(bank.mel_statistics, numbers(5, 6, first=6))
        assert bank.clips["caption"].to_pylist()[2] == "sound 2, é"
        assert bank.left_out == {"clip_9": "clip_9.wav: cannot be decoded"}
    else:
        assert (bank.caption_embeddings, bank.mel_statistics, bank.left_out) == (None, None, {})
    assert [each.source for each in bank.clip_records] == ["a", "a", None, "b", "b"]
    assert bank.clips["fold"].to_pylist() == [1, 2, None, 4, 5]
    assert bank.row_of_class == {"dog": 0, "rain": 1}
    assert (bank.header.seconds, bank.header.segments, bank.header.logit_scale) == (2.5, 3, 100.0)


@pytest.mark.parametrize("name", ["notes", "audio", "labels", "word_vector"])
def test_a_column_that_format_1_does_not_know_is_no_part_of_the_digest(name: str, tmp_path: Path) -> None:
    shutil.copytree(KEPT / "captioned", tmp_path / "bank")
    for file in ("clips.arrow", "classes.arrow"):
        with pa.OSFile(str(KEPT / "captioned" / file)) as source:
            table = pa.ipc.open_file(source).read_all()
        table = table.append_column(name, pa.array(range(table.num_rows)))
        with pa.ipc.new_file(str(tmp_path / "bank" / file), table.schema) as writer:
            writer.write_table(table)
    assert FeatureBank.open(tmp_path / "bank").digest == DIGESTS["captioned"]


def test_the_digests_of_what_format_2_added(tmp_path: Path) -> None:
    scenes = write_bank(
        tmp_path / "scenes",
        Header("scenes", "1", "CC0-1.0", "by hand", tokens={"audio": Tokens(0.96), "video": Tokens(0.64, gaps=True)}),
        {
            "clip_id": ["x", "y"],
            "label": ["dog", "rain"],
            "audio": Ragged(numbers(5, 3, first=1), np.array([0, 2, 5])),
            "video": Ragged(numbers(4, 2, first=2).astype(np.float16), np.array([0, 4, 4])),
        },
        {"label": ["dog", "rain"], "word_vector": numbers(2, 6, first=3)},
    )
    assert scenes.digest == "ca6f3f87eede51d1f9882354ae2b0f4e51e3ebb0174063c824c13c7882d1af99"
    sounds = write_bank(
        tmp_path / "sounds",
        Header("sounds", "1", "CC0-1.0", "by hand", 4, 100.0, 16000, 10.0, 2),
        {
            "clip_id": ["x", "y"],
            "labels": [["dog", "rain"], []],
            "captions": [["one", "two"], ["three"]],
            "caption_embeddings": Ragged(numbers(3, 4, first=1), np.array([0, 2, 3])),
            "events": [[Event(0.5, 1.25, "dog")], []],
            "clip_embedding": numbers(2, 4, first=2),
            "segment_embeddings": numbers(2, 2, 4, first=3).astype(np.float16),
        },
        {"label": ["dog", "rain"], "prompt": ["a dog", "rain"], "prompt_embedding": numbers(2, 4, first=4)},
    )
    assert sounds.digest == "4c11a482e13f1b40dd1bf441b60f8380b089717747c50b02c622dca47c55956f"
