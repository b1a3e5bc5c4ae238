"""Feature banks: mapped without a copy, named by content, refused by file, column and row."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mgcl.errors import BankError
from mgcl.features import FeatureBank
from mgcl.features.header import Header
from mgcl.features.writer import write_bank
from tests.generated_bank import write_generated_bank


def rewrite(folder: Path, file: str, change) -> None:
    """Write one table of a bank again, changed."""
    with pa.memory_map(str(folder / file)) as source:
        table = change(pa.ipc.open_file(source).read_all())
        blocks = table if isinstance(table, list) else [table]
        with pa.ipc.new_file(str(folder / "draft"), blocks[0].schema) as writer:
            for block in blocks:
                writer.write_table(block)
    (folder / "draft").rename(folder / file)


def set_value(column: str, row: int, value):
    """A change of one cell."""

    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = value
        index = table.column_names.index(column)
        return table.set_column(index, column, pa.array(values, table.schema.field(column).type)).combine_chunks()

    return change


def nan_at(column: str, row: int):
    def change(table: pa.Table) -> pa.Table:
        value = table[column][row].as_py()
        inner = value[-1] if isinstance(value[0], list) else value
        inner[3] = float("nan")
        return set_value(column, row, value)(table)

    return change


@pytest.fixture
def broken(bank, tmp_path) -> Path:
    """A copy of the bank, to be broken."""
    shutil.copytree(bank.path, tmp_path / "bank")
    return tmp_path / "bank"


def test_arrays_have_the_documented_shapes(bank) -> None:
    assert bank.clip_embeddings.shape == bank.caption_embeddings.shape == (96, 24)
    assert bank.segment_embeddings.shape == (96, 5, 24)
    assert bank.prompt_embeddings.shape == (6, 24)
    assert bank.explanation_embeddings.shape == (6, 8, 24)


def test_arrays_are_views_of_the_mapped_file(bank) -> None:
    before = pa.total_allocated_bytes()
    fresh = FeatureBank.open(bank.path)
    for name in ("clip_embeddings", "caption_embeddings", "segment_embeddings", "explanation_embeddings"):
        array = getattr(fresh, name)
        assert not array.flags.writeable
        assert not array.flags.owndata
    assert pa.total_allocated_bytes() - before < fresh.segment_embeddings.nbytes / 2


def test_values_come_back_as_written(tmp_path) -> None:
    first, second = (write_generated_bank(tmp_path / name, classes=3, clips=4) for name in "ab")
    assert np.array_equal(first.segment_embeddings, second.segment_embeddings)
    assert first.clip_records[5].clip_id == "clip_0005"
    assert first.row_of_class["class_02"] == 2


def test_the_digest_names_the_content_not_the_layout(bank, broken) -> None:
    header = broken / "bank.json"
    header.write_text(json.dumps(json.loads(header.read_text()), sort_keys=True))
    rewrite(broken, "clips.arrow", lambda table: table.select(table.column_names[::-1]))
    assert FeatureBank.open(broken).digest == bank.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: rewrite(folder, "clips.arrow", set_value("caption", 3, "another")),
        lambda folder: rewrite(folder, "clips.arrow", set_value("clip_embedding", 3, [0.5] * 24)),
        lambda folder: rewrite(folder, "classes.arrow", set_value("prompt", 0, "another")),
        lambda folder: (folder / "bank.json").write_text((folder / "bank.json").read_text().replace("30.0", "31.0")),
    ],
)
def test_the_digest_changes_with_the_content(bank, broken, change) -> None:
    change(broken)
    assert FeatureBank.open(broken).digest != bank.digest


def test_the_digest_is_pinned(tmp_path) -> None:
    """Another digest for the same bank would orphan every recorded trial."""
    one = np.eye(3, dtype=np.float32)
    bank = write_bank(
        tmp_path / "bank",
        Header("tiny", "1", "CC0-1.0", "none", 3, 100.0, 16000, 1.0, 1),
        {
            "clip_id": ["x", "y"],
            "label": ["a", "a"],
            "caption": ["p", "q"],
            "clip_embedding": one[:2],
            "caption_embedding": one[:2],
            "segment_embeddings": one[:2, None],
        },
        {
            "label": ["a"],
            "prompt": ["r"],
            "prompt_embedding": one[:1],
            "explanations": [["s"]],
            "explanation_embeddings": one[:1, None],
        },
    )
    assert bank.digest[:16] == "345f29eca10cad3b"


BROKEN = {
    "missing column": ("clips.arrow", lambda t: t.drop_columns("caption"), r"clips.arrow: column 'caption' is missing"),
    "wrong type": (
        "clips.arrow",
        lambda t: t.set_column(0, "clip_id", pa.array(range(96))),
        r"clips.arrow: column 'clip_id' is int64, where bank.json asks for string",
    ),
    "NaN in a clip": (
        "clips.arrow",
        nan_at("clip_embedding", 7),
        r"clips.arrow: column 'clip_embedding', row 7: a number is NaN or infinite",
    ),
    "NaN in a segment": (
        "clips.arrow",
        nan_at("segment_embeddings", 11),
        r"clips.arrow: column 'segment_embeddings', row 11: a number is NaN",
    ),
    "NaN in an explanation": (
        "classes.arrow",
        nan_at("explanation_embeddings", 4),
        r"classes.arrow: column 'explanation_embeddings', row 4: a number is NaN",
    ),
    "null": ("clips.arrow", set_value("label", 5, None), r"clips.arrow: column 'label', row 5: a value is null"),
    "null explanation": (
        "classes.arrow",
        set_value("explanations", 2, ["a"] * 7 + [None]),
        r"classes.arrow: column 'explanations', row 2: a value is null",
    ),
    "ragged": (
        "clips.arrow",
        set_value("segment_embeddings", 9, [[0.0] * 24] * 4),
        r"clips.arrow: column 'segment_embeddings', row 9: 4 entries, where every row has 5",
    ),
    "ragged explanations": (
        "classes.arrow",
        set_value("explanations", 1, ["one"]),
        r"classes.arrow: column 'explanations', row 1: 1 entries, where every row has 8",
    ),
    "twice": (
        "clips.arrow",
        set_value("clip_id", 8, "clip_0002"),
        r"column 'clip_id', row 8: 'clip_0002' stands 2 times",
    ),
    "class twice": ("classes.arrow", set_value("label", 1, "class_00"), r"column 'label', row 1: 'class_00' stands 2"),
    "no class row": (
        "clips.arrow",
        set_value("label", 6, "owl"),
        r"column 'label', row 6: 'owl' has no row in classes",
    ),
    "empty": ("clips.arrow", lambda t: t.slice(0, 0), r"clips.arrow: no rows"),
    "batches": ("clips.arrow", lambda t: [t.slice(0, 50), t.slice(50)], r"clips.arrow: 2 record batches"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_wrong_table_is_refused(broken, case) -> None:
    file, change, message = BROKEN[case]
    rewrite(broken, file, change)
    with pytest.raises(BankError, match=message):
        FeatureBank.open(broken)


def test_a_null_fold_or_source_is_allowed(broken) -> None:
    rewrite(broken, "clips.arrow", set_value("source", 0, None))
    assert FeatureBank.open(broken).clip_records[0].source is None


HEADERS = {
    "format": ('"format": 2', '"format": 3', r"bank.json: format 3; this mgcl reads formats 1 to 2"),
    "logit scale": ("30.0", "3.4012e6", r"bank.json: backbone.logit_scale is 3401200.0, outside 1..1000"),
    "log of the scale": ("30.0", "0.5", r"outside 1..1000; it is the multiplier itself"),
    "wrong d": ('"embedding_dim": 24', '"embedding_dim": 25', r"clips.arrow: column 'clip_embedding' is .*\[24\]"),
    "wrong segments": (
        '"segments": 5',
        '"segments": 6',
        r"'segment_embeddings', row 0: 5 entries, where every row has 6",
    ),
    "missing key": ('"name": "drawn",', "", r"bank.json: key 'name' is missing"),
    "wrong value": ("16000", '"fast"', r"bank.json: a value has the wrong type"),
    "null name": ('"name": "drawn"', '"name": null', r"bank.json: a value has the wrong type \(name is None\)"),
    "broken d": ('"embedding_dim": 24', '"embedding_dim": 24.9', r"wrong type \(embedding_dim is 24.9\)"),
    "not positive": ("5.0", "-5.0", r"bank.json: seconds is -5.0; it must be positive"),
    "not JSON": ("{", "(", r"bank.json: not JSON"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_wrong_header_is_refused(broken, case) -> None:
    old, new, message = HEADERS[case]
    header = broken / "bank.json"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(BankError, match=message):
        FeatureBank.open(broken)


def test_a_folder_that_does_not_exist_is_named(tmp_path) -> None:
    with pytest.raises(BankError, match=re.escape(f"{tmp_path / 'nowhere'}: no such feature bank")):
        FeatureBank.open(tmp_path / "nowhere")


@pytest.mark.parametrize("file", ["bank.json", "clips.arrow", "classes.arrow"])
def test_a_missing_file_is_named(broken, file) -> None:
    (broken / file).unlink()
    with pytest.raises(BankError, match=rf"{file}: missing"):
        FeatureBank.open(broken)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("file", ["clips.arrow", "classes.arrow"])
def test_a_truncated_file_is_refused(broken, file, share) -> None:
    content = (broken / file).read_bytes()
    (broken / file).write_bytes(content[: int(share * len(content))])
    with pytest.raises(BankError, match=rf"{file}: truncated, or not an Arrow IPC file"):
        FeatureBank.open(broken)


def test_an_existing_folder_is_never_written_over(bank) -> None:
    with pytest.raises(BankError, match="exists already"):
        write_generated_bank(bank.path)


def test_a_refused_bank_leaves_nothing_behind(tmp_path, monkeypatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_generated_bank(tmp_path / "bank", classes=3, clips=4)
    assert list(tmp_path.iterdir()) == []


def with_statistics(folder: Path, values: pa.Array) -> None:
    rewrite(folder, "clips.arrow", lambda table: table.append_column("mel_statistics", values))


def test_mel_statistics_are_optional_and_part_of_the_digest(bank, broken) -> None:
    assert bank.mel_statistics is None
    numbers = np.arange(96 * 5, dtype=np.float32).reshape(96, 5)
    with_statistics(broken, pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), 5))
    opened = FeatureBank.open(broken)
    assert np.array_equal(opened.mel_statistics, numbers)
    assert opened.digest != bank.digest


def test_mel_statistics_of_another_type_are_refused(broken) -> None:
    with_statistics(broken, pa.array([1.0] * 96))
    with pytest.raises(BankError, match="column 'mel_statistics' is double; it should be fixed-size lists of float"):
        FeatureBank.open(broken)


def test_captions_that_name_their_class_are_counted(bank, broken) -> None:
    assert bank.captions_naming_class == 0
    rewrite(broken, "clips.arrow", set_value("caption", 3, "it is class_00, loud"))
    rewrite(broken, "clips.arrow", set_value("caption", 4, "a class of its own"))
    assert FeatureBank.open(broken).captions_naming_class == pytest.approx(2 / 96)
