"""Named columns: of several labels, captions, events and tokens per clip, in float32 or float16."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mgcl.errors import BankError
from mgcl.events import Event
from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged, as_float32
from mgcl.features.header import Header, Tokens
from mgcl.features.schema import NAMED
from mgcl.features.writer import write_bank
from mgcl.language.prompt_sets import PROMPT_SETS
from tests.contracts.test_bank_digests import DIGESTS, KEPT

EVENTS = [
    [Event(0.0, 1.5, "dog"), Event(1.0, 4.25, "rain")],
    [],
    [Event(2.5, 3.0, "rain")],
]


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def write_sounds(path: Path, **changes) -> FeatureBank:
    """Three clips with any number of labels, captions and events each, as a tagging or detection data set has them."""
    clips = {
        "clip_id": ["x", "y", "z"],
        "labels": [["dog", "rain"], [], ["rain"]],
        "captions": [["a dog barks", "a dog in the rain"], ["nothing"], ["rain", "drops", "water"]],
        "events": EVENTS,
        "clip_embedding": drawn(3, 4),
        "segment_embeddings": drawn(3, 5, 4),
        "caption_embeddings": Ragged.of([drawn(2, 4), drawn(1, 4, seed=1), drawn(3, 4, seed=2)]),
    }
    classes = {"label": ["dog", "rain"], "prompt": ["a dog", "rain"], "prompt_embedding": drawn(2, 4)}
    header = Header("tagged", "1", "CC0-1.0", "drawn", 4, 100.0, 16000, 5.0, 5)
    return write_bank(path, header, clips | changes, classes)


def write_scenes(path: Path, *, header: Header | None = None, **changes) -> FeatureBank:
    """Three clips of audio and video tokens without a joint space, as an audio-visual data set has them."""
    clips = {
        "clip_id": ["x", "y", "z"],
        "label": ["dog", "rain", "dog"],
        "audio": [drawn(5, 128), drawn(10, 128, seed=1), drawn(7, 128, seed=2)],
        "video": Ragged(drawn(24, 6).astype(np.float16), np.array([0, 7, 22, 24])),
    }
    classes = {"label": ["dog", "rain"], "word_vector": drawn(2, 300)}
    tokens = {"audio": Tokens(0.96), "video": Tokens(0.64)}
    return write_bank(path, header or Header("scenes", "1", "", "drawn", tokens=tokens), clips | changes, classes)


def test_each_fixed_column_is_the_array_that_its_property_gives(bank) -> None:
    for name, array in {
        "clip": bank.clip_embeddings,
        "segments": bank.segment_embeddings,
        "caption": bank.caption_embeddings,
        "prompt": bank.prompt_embeddings,
        "explanations": bank.explanation_embeddings,
    }.items():
        assert np.array_equal(bank.column(name), array)
        assert np.shares_memory(bank.column(name), array)
        assert bank.floats(name) is not None


def test_a_bank_says_what_it_has_and_lacks(bank, tmp_path) -> None:
    expected = "clip_id label fold caption source clip segments class_label prompt explanations"
    assert bank.columns == tuple(expected.split())
    assert bank.lacks(["segments", "caption", "label"]) == ()
    assert bank.lacks(["video", "caption", "mel_statistics", "labels"]) == ("video", "mel_statistics", "labels")
    sounds, scenes = write_sounds(tmp_path / "sounds"), write_scenes(tmp_path / "scenes")
    assert sounds.lacks(NAMED) == (
        "label",
        "caption",
        "audio",
        "video",
        "split",
        "mel_statistics",
        "explanations",
        "word_vector",
        "part",
        *(f"{name}_prompt" for name in PROMPT_SETS),
    )
    assert scenes.lacks(["clip", "segments", "label", "audio", "word_vector"]) == ("clip", "segments")


def test_what_a_bank_lacks_is_refused_with_what_to_do(bank, tmp_path) -> None:
    with pytest.raises(BankError, match=r"generated: this bank lacks column 'mel_statistics'; `mgcl extract` writes"):
        bank.column("mel_statistics")
    with pytest.raises(BankError, match="lacks column 'events'; import a bank that has it"):
        _ = bank.events
    with pytest.raises(BankError, match="lacks column 'label'"):
        _ = write_sounds(tmp_path / "sounds").clip_records
    with pytest.raises(BankError, match="'mel' is no column of a bank; there are: clip_id, label, "):
        bank.lacks(["clip", "mel"])
    with pytest.raises(BankError, match="'label' holds no vectors"):
        bank.column("label")
    with pytest.raises(BankError, match="'clip' is not ragged"):
        bank.ragged("clip")


def test_labels_captions_and_events_come_back(bank, tmp_path) -> None:
    sounds = write_sounds(tmp_path / "sounds")
    assert sounds.labels == (("dog", "rain"), (), ("rain",))
    assert sounds.events == tuple(map(tuple, EVENTS))
    assert (sounds.captioned, sounds.caption_embeddings, sounds.captions_naming_class) == (False, None, None)
    captions = sounds.ragged("captions")
    assert captions.lengths.tolist() == [2, 1, 3] == [len(row) for row in sounds.clips["captions"].to_pylist()]
    assert np.array_equal(captions[2], drawn(3, 4, seed=2))
    assert bank.labels[:2] == (("class_00",), ("class_00",))


def test_tokens_are_views_in_the_type_that_was_written(tmp_path) -> None:
    bank = write_scenes(tmp_path / "scenes")
    before = pa.total_allocated_bytes()
    bank = FeatureBank.open(bank.path)
    audio, video = bank.ragged("audio"), bank.ragged("video")
    assert pa.total_allocated_bytes() - before < audio.values.nbytes / 2
    assert (audio.values.dtype, video.values.dtype) == (np.float32, np.float16)
    assert (len(audio), [each.shape for each in video]) == (3, [(7, 6), (15, 6), (2, 6)])
    assert np.array_equal(audio[1], drawn(10, 128, seed=1))
    assert np.array_equal(video[-1], drawn(24, 6).astype(np.float16)[22:])
    for array in (audio.values, audio.offsets, video[1]):
        assert not array.flags.writeable
        assert not array.flags.owndata
    assert bank.header.tokens == {"audio": Tokens(0.96), "video": Tokens(0.64)}
    assert bank.floats("word_vector").shape == (2, 300)
    with pytest.raises(BankError, match="'video' is ragged"):
        bank.floats("video")
    with pytest.raises(IndexError, match="row 3 of 3"):
        audio[3]


def test_float16_becomes_float32_in_one_place(tmp_path) -> None:
    half = drawn(3, 5, 4).astype(np.float16)
    bank = write_sounds(tmp_path / "bank", segment_embeddings=half)
    assert bank.column("segments").dtype == np.float16
    assert bank.segment_embeddings.dtype == np.float32
    assert np.array_equal(bank.segment_embeddings, half.astype(np.float32))
    whole = bank.column("clip")
    assert as_float32(whole) is whole


def test_the_digest_covers_what_format_1_could_not_hold(tmp_path) -> None:
    other_header = Header("scenes", "1", "", "drawn", tokens={"audio": Tokens(0.96), "video": Tokens(0.65)})
    banks = [
        write_scenes(tmp_path / "0"),
        write_scenes(tmp_path / "1", header=other_header),
        write_scenes(tmp_path / "2", video=Ragged(drawn(24, 6), np.array([0, 7, 22, 24]))),
        write_scenes(tmp_path / "3", video=Ragged(drawn(24, 6).astype(np.float16), np.array([0, 8, 22, 24]))),
        write_sounds(tmp_path / "4"),
        write_sounds(tmp_path / "5", events=[*EVENTS[:2], [Event(2.5, 3.5, "rain")]]),
        write_sounds(tmp_path / "6", labels=[["dog"], ["rain"], ["rain"]]),
        write_sounds(tmp_path / "7", segment_embeddings=drawn(3, 5, 4).astype(np.float16)),
    ]
    assert len({bank.digest for bank in banks}) == len(banks)
    assert write_scenes(tmp_path / "again").digest == banks[0].digest
    assert FeatureBank.open(banks[0].path).digest == banks[0].digest


@pytest.mark.parametrize("name", DIGESTS)
def test_a_bank_of_format_1_is_written_as_format_2_with_its_digest(name, tmp_path) -> None:
    old = FeatureBank.open(KEPT / name)
    tables = (
        {column: table[column].to_pylist() for column in table.column_names} for table in (old.clips, old.classes)
    )
    new = write_bank(tmp_path / "bank", old.header, *tables)
    assert [json.loads((each.path / "bank.json").read_text())["format"] for each in (old, new)] == [1, 2]
    assert new.digest == old.digest == DIGESTS[name]
    assert new.header == old.header
    assert new.columns == old.columns


def test_format_1_knows_no_newer_columns_and_no_float16(tmp_path) -> None:
    for name in ("sounds", "half"):
        half = {"segment_embeddings": drawn(3, 5, 4).astype(np.float16)} if name == "half" else {}
        header = write_sounds(tmp_path / name, **half).path / "bank.json"
        header.write_text(header.read_text().replace('"format": 2', '"format": 1'))
        with pytest.raises(BankError, match=r"clips.arrow: column 'label' is missing; its type is string"):
            FeatureBank.open(tmp_path / name)
    shutil.copytree(KEPT / "plain", tmp_path / "old")
    with pa.OSFile(str(KEPT / "plain" / "clips.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    half = pa.FixedSizeListArray.from_arrays(pa.array(drawn(20).astype(np.float16)), 4)
    table = table.set_column(table.column_names.index("clip_embedding"), "clip_embedding", half)
    with pa.ipc.new_file(str(tmp_path / "old" / "clips.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(BankError, match=r"column 'clip_embedding' is .*halffloat.*, where bank.json asks for"):
        FeatureBank.open(tmp_path / "old")


def nan_in(rows: list[np.ndarray], row: int) -> list[np.ndarray]:
    rows = [each.copy() for each in rows]
    rows[row][-1, 2] = np.nan
    return rows


AUDIO = [drawn(5, 128), drawn(10, 128, seed=1), drawn(7, 128, seed=2)]
REFUSED = {
    "NaN in a token": (write_scenes, {"audio": nan_in(AUDIO, 1)}, "'audio', row 1: a number is NaN or infinite"),
    "NaN in float16": (
        write_scenes,
        {"video": nan_in([each[:, :6].astype(np.float16) for each in AUDIO], 2)},
        "'video', row 2: a number is NaN or infinite",
    ),
    "no tokens": (write_scenes, {"audio": [*AUDIO[:2], AUDIO[0][:0]]}, "'audio', row 2: no tokens; where clips may"),
    "no step": (
        write_scenes,
        {"header": Header("s", "", "", "drawn", tokens={"audio": Tokens(1.0)})},
        r"bank.json: tokens.video.step is missing: seconds per token of column 'video'",
    ),
    "no column": (write_scenes, {"video": None}, r"clips.arrow: column 'video' is missing; bank.json has its step"),
    "no positive step": (
        write_scenes,
        {"header": Header("s", "", "", "drawn", tokens={"audio": Tokens(0.0), "video": Tokens(1.0)})},
        "bank.json: tokens.audio.step is 0.0; it must be positive",
    ),
    "offsets": (write_scenes, {"video": Ragged(drawn(24, 6), np.array([0, 7, 22, 23]))}, "must rise from 0 to 24"),
    "other dimension": (write_scenes, {"audio": [*AUDIO[:2], AUDIO[0][:, :9]]}, "clips.arrow: column 'audio': "),
    "rows": (write_scenes, {"audio": AUDIO[:2]}, "clips.arrow: columns of different lengths: .*'audio': 2"),
    "unknown": (
        write_scenes,
        {"vidoe": AUDIO},
        "clips.arrow: 'vidoe' is no column of it; the nearest is 'video'; there are: clip_id, ",
    ),
    "label": (write_sounds, {"labels": [["dog"], [], ["owl"]]}, "'labels', row 2: 'owl' has no row in classes"),
    "event's label": (write_sounds, {"events": [[], [Event(0, 1, "owl")], []]}, "'events', row 1: 'owl' has no row"),
    "event's times": (
        write_sounds,
        {"events": [[], [], [Event(2.0, 2.0, "dog")]]},
        "'events', row 2: 'dog' from 2.0 s to 2.0 s; an event begins at 0 s or later, and ends after that",
    ),
    "event without end": (
        write_sounds,
        {"events": [[], [Event(2.0, float("inf"), "dog")], []]},
        "'events', row 1: a number is NaN or infinite",
    ),
    "captions": (
        write_sounds,
        {"captions": [["one"], ["two"], ["three"]]},
        "'caption_embeddings', row 0: 2 entries for 1 captions",
    ),
    "no captions": (write_sounds, {"captions": None}, "column 'captions' is missing"),
    "shape": (write_sounds, {"segment_embeddings": drawn(3, 4)}, r"segment_embeddings: shape \(3, 4\), where three"),
    "d": (write_sounds, {"clip_embedding": drawn(3, 5)}, r"clip_embedding: shape \(3, 5\), where \(rows, 4\) is"),
    "no ids": (write_scenes, {"clip_id": None}, "clips.arrow: columns of different lengths|'clip_id' is missing"),
    "text": (write_sounds, {"clip_id": ["x", "y", 3]}, "clips.arrow: column 'clip_id': "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_bank_is_refused_and_nothing_is_written(case, tmp_path) -> None:
    write, changes, message = REFUSED[case]
    with pytest.raises(BankError, match=message):
        write(tmp_path / "bank", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_may_lack_a_modality_where_the_header_says_so(tmp_path) -> None:
    header = Header("s", "", "", "drawn", tokens={"audio": Tokens(0.96, gaps=True), "video": Tokens(0.64)})
    bank = write_scenes(tmp_path / "bank", header=header, audio=[*AUDIO[:2], AUDIO[0][:0]])
    assert FeatureBank.open(bank.path).ragged("audio")[2].shape == (0, 128)


def test_a_bank_may_have_no_classes(tmp_path) -> None:
    clips = {
        "clip_id": ["x", "y"],
        "clip_embedding": drawn(2, 4),
        "captions": [["a", "b"], ["c"]],
        "caption_embeddings": [drawn(2, 4), drawn(1, 4)],
    }
    header = Header("retrieved", "", "", "drawn", 4, 100.0, 16000)
    bank = write_bank(tmp_path / "bank", header, clips, {"label": []})
    assert (FeatureBank.open(bank.path).labels, bank.row_of_class) == (((), ()), {})
    assert len(bank.digest) == 64


def test_numbers_are_asked_of_the_header_where_a_column_needs_them(tmp_path) -> None:
    for name, value in {
        "embedding_dim": 0,
        "logit_scale": 0.0,
        "sample_rate": 0,
        "seconds": 0.0,
        "segments": 0,
    }.items():
        folder = tmp_path / name
        write_sounds(folder)
        content = json.loads((folder / "bank.json").read_text())
        section = "backbone" if name in content["backbone"] else "audio"
        content[section][name] = value
        (folder / "bank.json").write_text(json.dumps(content))
        with pytest.raises(BankError, match=rf"bank.json: (backbone.)?{name} is {re.escape(str(value))}"):
            FeatureBank.open(folder)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"audio": {"step": "fast"}, "video": {"step": 1}}, r"a value has the wrong type \(step is 'fast'\)"),
        ({"audio": {}, "video": {"step": 1}}, "key 'step' is missing"),
        ({"audio": {"step": 1, "gaps": 1}, "video": {"step": 1}}, r"a value has the wrong type \(gaps is 1\)"),
        ({"audio": 0.96, "video": {"step": 1}}, "a value has the wrong type"),
        ([0.96], "a value has the wrong type"),
    ],
)
def test_wrong_steps_are_refused(section, message, tmp_path) -> None:
    header = write_scenes(tmp_path / "bank").path / "bank.json"
    content = json.loads(header.read_text())
    header.write_text(json.dumps(content | {"tokens": section}))
    with pytest.raises(BankError, match=rf"bank.json: {message}"):
        FeatureBank.open(tmp_path / "bank")
