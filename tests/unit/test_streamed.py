"""Streamed data sets: manifests, WebDataset archives and parquet files are listed, embedded into shards, and sealed."""

import csv
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from mgcl.backbones.backbone import AudioFeatures
from mgcl.data import _parquet
from mgcl.data._opening import opened
from mgcl.data._streamed.opening import streamed
from mgcl.errors import DataError, MgclError, MgclWarning, SentenceError
from mgcl.extraction import streamed_workbench
from mgcl.extraction.extract import in_process
from mgcl.extraction.streamed import extract_streamed_by, texts_of
from mgcl.extraction.streamed_plan import plan_of
from mgcl.features import FeatureBank
from mgcl.language.explanations import from_templates

RATE = 8000
CLASSES = ("dog", "rain")


def embed_audio(waveforms: torch.Tensor) -> AudioFeatures:
    segments = torch.stack([waveforms.abs().reshape(len(waveforms), 2, -1).mean(-1) + row for row in range(4)], -1)
    return AudioFeatures(segments, segments.mean(1))


def embed_text(sentences: list[str]) -> torch.Tensor:
    for sentence in sentences:
        if len(sentence) > 40:
            raise SentenceError(sentence, "is too long; shorten it")
    return torch.tensor([[float(len(sentence)), *map(float, f"{sentence:3}".encode()[:3])] for sentence in sentences])


BACKBONE = SimpleNamespace(
    name="loudness", fingerprint="0f", embedding_dim=4, logit_scale=100.0, sample_rate=RATE, seconds=0.5, segments=2,
    segment_seconds=0.25, captions=(), embed_audio=embed_audio, embed_text=embed_text,
)  # fmt: skip


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six sounds of unlike lengths, and a file that is none."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(6):
        samples = np.random.default_rng(number).uniform(-1, 1, 3900 - 500 * number) * (number + 1) / 6
        soundfile.write(folder / f"{number}.wav", samples, RATE)
    (folder / "broken.wav").write_bytes(b"no sound")
    return folder


def rows(**more: list[Any]) -> list[dict[str, Any]]:
    """A row per sound, with other columns of six values."""
    plain = [{"path": f"{number}.wav", "label": CLASSES[number % 2]} for number in range(6)]
    return [row | {name: values[number] for name, values in more.items()} for number, row in enumerate(plain)]


def write_csv(file: Path, listed: list[dict[str, Any]]) -> str:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
    return f"manifest:{file}"


def write_tar(file: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))


def write_audio(file: Path, sounds: Path, **columns: list[Any]) -> str:
    """A parquet file as the hub's, in row groups of two."""
    names = [f"{number}.wav" for number in range(6)]
    audio = [{"bytes": (sounds / name).read_bytes(), "path": name} for name in names]
    about = {"audio": {"_type": "Audio"}, "label": {"names": [*CLASSES], "_type": "ClassLabel"}}
    table = pa.table({"audio": audio, "label": [number % 2 for number in range(6)], **columns})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": about}})})
    pq.write_table(table, file, row_group_size=2)
    return f"parquet:{file}"


def embedded(name: str, out: Path, root: Path | None = None, **options: Any) -> FeatureBank:
    source = streamed(name, root)
    assert source is not None
    plan = plan_of(source, out)
    texts = texts_of(plan, source.about, BACKBONE, from_templates(plan.classes))
    return extract_streamed_by(in_process(BACKBONE), plan, source.about, BACKBONE, out, texts, **options)


def vectors(bank: FeatureBank) -> np.ndarray:
    return np.asarray(bank.segment_embeddings[:])


@pytest.fixture(scope="module")
def bank(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureBank:
    folder = tmp_path_factory.mktemp("bank")
    name = write_csv(folder / "Mine.csv", rows(fold=[1, 2, 3, 1, 2, ""], source=["a", "", "b", "b", "c", "d"]))
    return embedded(name, folder / "bank", sounds)


def test_a_manifest_becomes_a_bank_in_its_order(bank) -> None:
    assert bank.header.dataset == "mine"
    assert bank.header.revision.startswith("manifest ")
    assert list(bank.row_of_clip) == [f"{number}.wav" for number in range(6)]
    assert bank.clips["label"].to_pylist() == [*CLASSES] * 3
    assert bank.clips["fold"].to_pylist() == [1, 2, 3, 1, 2, None]
    assert bank.clips["source"].to_pylist() == ["a", None, "b", "b", "c", "d"]
    assert (np.diff(bank.clip_embeddings[:], axis=0) > 0).all()  # they become louder
    assert tuple(bank.row_of_class) == CLASSES
    assert not bank.lacks(["prompt", "explanations", "mel_statistics"])
    assert not list(bank.path.parent.glob(".bank-*"))
    FeatureBank.open(bank.path).verify()


def test_where_the_sounds_lie_does_not_matter(bank, sounds, tmp_path) -> None:
    content = {number: (sounds / f"{number}.wav").read_bytes() for number in range(6)}
    for first in (0, 3):
        members: dict[str, bytes] = {"./._0.wav": b"of another system", "README": b"hello"}
        for number in range(first, first + 3):
            about = {"fold": number} if number % 2 else {"label": CLASSES[number % 2], "source": "x"}
            members |= {f"./{number}.wav": content[number], f"./{number}.json": json.dumps(about).encode()}
            members |= {f"./{number}.cls": CLASSES[number % 2].encode()}
        write_tar(tmp_path / f"sounds-{first}.tar", members)
    found = embedded(f"tar:{tmp_path}/sounds-*.tar", tmp_path / "of-tars")
    assert list(found.row_of_clip)[::5] == ["sounds-0/./0", "sounds-3/./5"]
    assert found.clips["fold"].to_pylist() == [None, 1, None, 3, None, 5]
    assert (vectors(found) == vectors(bank)).all()
    assert found.labels == bank.labels

    found = embedded(write_audio(tmp_path / "test-0.parquet", sounds, fold=[1] * 6), tmp_path / "of-parquet")
    assert list(found.row_of_clip)[5] == "test-0/000005"
    assert (vectors(found) == vectors(bank)).all()
    assert found.labels == bank.labels

    for place in ("train", "test"):  # archives of one name
        (tmp_path / "parts" / place).mkdir(parents=True)
        write_tar(tmp_path / "parts" / place / "0.tar", {"a.wav": content[0], "a.cls": b"dog"})
    source = streamed(f"tar:{tmp_path}/parts/**/*.tar", None)
    assert source is not None
    assert source.about.name == "parts"
    assert [batch["clip_id"].to_pylist() for batch in source.batches()] == [["test/0/a"], ["train/0/a"]]

    listed = [row | {"path": f"sounds-{3 * (number > 2)}.tar::./{row['path']}"} for number, row in enumerate(rows())]
    pq.write_table(pa.Table.from_pylist(listed), tmp_path / "list.parquet")
    found = embedded(f"manifest:{tmp_path}/list.parquet", tmp_path / "of-members")
    assert (vectors(found) == vectors(bank)).all()


def test_a_clip_may_be_a_part_of_its_file(bank, sounds, tmp_path) -> None:
    listed = [
        {"path": "0.wav", "offset": 0, "seconds": "", "label": "dog"},
        {"path": "0.wav", "offset": 0.1, "seconds": 0.2, "label": "rain"},
        {"path": "0.wav", "offset": "", "seconds": "9", "label": "rain"},
        {"path": "0.wav", "offset": 0.4, "seconds": 0.2, "label": "dog"},
        {"path": "0.wav", "offset": 7, "seconds": "", "label": "dog"},
        {"path": "broken.wav", "offset": "", "seconds": "", "label": "owl"},
    ]
    name = write_csv(tmp_path / "parts.csv", listed)
    found = embedded(name, tmp_path / "bank", sounds)
    assert list(found.row_of_clip) == ["0.wav from 0 s", "0.wav 0.1-0.3 s", "0.wav"]
    assert (vectors(found)[[0, 2]] == vectors(bank)[0]).all()
    assert vectors(found)[1, 0, 0] != vectors(bank)[0, 0, 0]
    assert tuple(found.row_of_class) == CLASSES  # no clip of an owl is left
    late, later, broken = found.left_out.values()
    assert late.startswith(f"{tmp_path}/parts.csv, line 5: {sounds}/0.wav: lasts 0.4875 s")
    assert "begins at 7 s" in later
    assert "line 7" in broken
    with pytest.raises(DataError, match=r"`strict`: .*, line 5: "):
        embedded(name, tmp_path / "strict", sounds, strict=True)
    with pytest.raises(DataError, match=r"no clip can be decoded, the first because of .*broken\.wav"):
        embedded(write_csv(tmp_path / "all.csv", listed[-1:]), tmp_path / "none", sounds)


def test_several_labels_and_captions(bank, sounds, tmp_path) -> None:
    listed = [
        {"path": f"{number}.wav", "caption": "long " * 9 if number == 4 else f"a {number}"} for number in range(6)
    ]
    found = embedded(write_csv(tmp_path / "captions.csv", listed), tmp_path / "captioned", sounds)
    assert found.clips["caption"].to_pylist() == ["a 0", "a 1", "a 2", "a 3", "a 5"]
    assert found.caption_embeddings[:][:, 3].tolist() == [ord(digit) for digit in "01235"]
    assert "its caption 'long long" in found.left_out["4.wav"]
    assert found.classes.num_rows == 0

    listed = [{"path": f"{number}.wav", "labels": ["dog; owl", "", "rain"][number % 3]} for number in range(6)]
    found = embedded(write_csv(tmp_path / "labels.csv", listed), tmp_path / "several", sounds, half=True)
    assert found.labels[:3] == (("dog", "owl"), (), ("rain",))
    assert tuple(found.row_of_class) == ("dog", "owl", "rain")
    assert found.column("segments").dtype == np.float16
    assert vectors(found) == pytest.approx(vectors(bank), rel=1e-3)


def test_candidate_captions_are_the_nearest(sounds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(BACKBONE, "captions", ("a", "bb"))
    found = embedded(write_csv(tmp_path / "m.csv", rows()), tmp_path / "bank", sounds)
    assert set(found.clips["caption"].to_pylist()) == {"bb"}


def test_an_extraction_is_resumed(bank, sounds, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(streamed_workbench, "_FEWEST", 2)
    monkeypatch.setattr(streamed_workbench, "BATCH", 2)
    name, calls = write_csv(tmp_path / "mine.csv", rows()), []

    def dying(waveforms: torch.Tensor) -> AudioFeatures:
        calls.append(len(waveforms))
        if len(calls) == 4:  # the first is the probe
            raise KeyboardInterrupt
        return embed_audio(waveforms)

    monkeypatch.setattr(BACKBONE, "embed_audio", dying)
    with pytest.raises(KeyboardInterrupt):
        embedded(name, tmp_path / "bank", sounds)
    found = embedded(name, tmp_path / "bank", sounds)
    assert calls == [2, 2, 2, 2, 2, 2]
    said = capsys.readouterr().out
    assert "6 clips are listed already" in said
    assert "of 4 shards are there already" in said
    assert sorted(path.name for path in found.path.glob("clips-*")) == [f"clips-0000{n}.arrow" for n in range(3)]
    assert (vectors(found) == vectors(bank)).all()


def test_a_changed_archive_is_listed_again(sounds, tmp_path) -> None:
    content = (sounds / "0.wav").read_bytes()
    name = write_csv(tmp_path / "m.csv", [{"path": "a.tar::0.wav", "label": "dog"}])
    write_tar(tmp_path / "a.tar", {"0.wav": content})
    begins = []
    for members in ({}, {"first": bytes(2000)}):
        write_tar(tmp_path / "a.tar", {**members, "0.wav": content})
        source = streamed(name, None)
        assert source is not None
        (clip,), _ = plan_of(source, tmp_path / "bank").clips_of(range(1), "average")
        begins.append(clip.begin)
    assert begins == [512, 3072]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n0.wav,dog\n,dog\n", "line 3: no path; name an audio file"),
        ("path,label,offset\n0.wav,dog,-1\n", "line 2: offset -1; it is 0 s or later"),
        ("path,label,offset\n0.wav,dog,0\n0.wav,dog,one\n", "line 3: offset 'one' is no number"),
        ("path,label,seconds\n0.wav,dog,0\n", "line 2: seconds 0; it is longer than 0 s"),
        ("path,label,fold\n0.wav,dog,128\n", "line 2: fold '128' is no integer from 0 to 127"),
        ("path,label\n0.wav,dog\nx.wav,dog\ny.wav,dog\n", "line 3: .*x.wav is missing, one of 2 files"),
        ("path,label\n0.txt,dog\n", "line 2: '0.txt' is none of .wav"),
        ("path,label\n0.wav,dog\n1.wav,\n2.wav,\n", "line 3: no label, one of 2 such clips"),
        ("path,label\n0.wav,dog\n1.wav,dog\n0.wav,rain\n", "line 4 and .*, line 2: the clip id '0.wav' stands twice"),
        ("path,label\n0.wav,dog,1\n", r"cannot be read as csv or parquet \(.*Row #2"),
        ("path\n0.wav\n", "no column of 'label', 'labels', 'caption'"),
        ("file,label\n0.wav,dog\n", "no column 'path' or 'url'; it has file, label"),
        ("path,label,start\n0.wav,dog,1\n", "column 'start': a manifest has `offset`"),
        ("path,label,Label\n0.wav,dog,1\n", "column 'label' is there 2 times"),
        ("path,label\n", "no rows"),
        ("", "it is empty; write a header"),
        ("path,label\nno.tar::0.wav,dog\n", "line 2: .*no.tar: no such file"),
        ("path,label\nbroken.wav::0.wav,dog\n", "line 2: .*broken.wav: not a tar archive"),
    ],
)
def test_a_wrong_manifest_is_refused(text, message, sounds, tmp_path) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message) as refused:
        embedded(f"manifest:{tmp_path}/m.csv", tmp_path / "bank", sounds)
    assert str(tmp_path / "m.csv") in str(refused.value)
    assert not [path for path in tmp_path.iterdir() if "bank" in path.name]


def test_what_else_is_refused(sounds, tmp_path) -> None:
    with pytest.raises(DataError, match=r"no\.csv: no such file"):
        streamed("manifest:no.csv", None)
    with pytest.raises(DataError, match=r"tar:.*: no such file; check the pattern"):
        streamed(f"tar:{tmp_path}/*.tar", None)
    with pytest.raises(DataError, match="`mgcl extract` alone"):
        opened("manifest:m.csv", None)
    with pytest.raises(DataError, match="'esc50' is a data set with published folds"):
        streamed(write_csv(tmp_path / "ESC50.csv", rows()), sounds)
    name = write_csv(tmp_path / "m.csv", rows(loud=[1] * 6))
    with pytest.raises(DataError, match=r"`root` .*elsewhere: no such folder"):
        streamed(name, tmp_path / "elsewhere")
    with pytest.warns(MgclWarning, match="columns that are not read: loud"):
        embedded(name, tmp_path / "bank", sounds)
    pq.write_table(pa.table({"path": ["0.wav"], "label": ["dog"], "offset": [["0"]]}), tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"column 'offset' is list<.*>, not numbers"):
        embedded(f"manifest:{tmp_path}/m.parquet", tmp_path / "another", sounds)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.wav": b"1"}, "/a: neither a class nor a caption; .*tar --sort=name"),
        ({"a.wav": b"1", "a.cls": b"dog", "b.wav": b"1"}, "/b: no label, where other clips have"),
        ({"a.1.wav": b"1", "a.2.wav": b"1", "a.cls": b"dog"}, r"a\.1\.wav and a\.2\.wav are one clip"),
        ({"a.wav": b"1", "a.json": b"{"}, r"a\.json is no JSON object"),
        ({"a.wav": b"1", "a.json": b'{"labels": [1]}'}, r"a\.json: labels \[1\] are no list of names"),
        ({"a.wav": b"1", "a.json": b'{"fold": 300}'}, r"a\.json: fold 300 is no integer"),
        ({"a.wav": b"1", "a.txt": b"\xff"}, r"a\.txt is no UTF-8 text"),
        ({"a.cls": b"dog"}, ": holds no sounds; name other files"),
        ({"a.wav": b"1", "a.cls": b"dog", "b": b"", "a.WAV": b"1", "a.CLS": b"dog"}, "'a/a' stands twice; rename one"),
    ],
)
def test_a_wrong_archive_is_refused(members, message, tmp_path) -> None:
    write_tar(tmp_path / "a.tar", members)
    with pytest.raises(DataError, match=message):
        embedded(f"tar:{tmp_path}/a.tar", tmp_path / "bank")


@pytest.mark.parametrize("damage", ["cut", "overwritten", "unmarked"])
def test_a_damaged_archive_is_refused(damage, tmp_path) -> None:
    """Python's tarfile takes a damaged header for the end of the archive."""
    file = tmp_path / "a.tar"
    write_tar(file, {"a.wav": bytes(600), "a.cls": b"dog", "b.wav": bytes(600), "b.cls": b"dog"})
    content = bytearray(file.read_bytes())
    place = content.index(b"b.wav")
    content[place : place + 3] = b"xyz" if damage == "overwritten" else b"b.w"
    file.write_bytes(content[: {"cut": place + 700, "overwritten": None, "unmarked": place}[damage]])
    with pytest.raises(DataError, match=r"a\.tar: damaged, after the member '[ab]\.(wav|cls)'"):
        embedded(f"tar:{file}", tmp_path / "bank")
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8b0000")
    with pytest.raises(DataError, match=r"a\.tar\.gz: not a tar archive, or compressed"):
        embedded(f"tar:{tmp_path}/a.tar.gz", tmp_path / "bank")


def test_wrong_audio_tables_are_refused(sounds, tmp_path, monkeypatch) -> None:
    name = write_audio(tmp_path / "a.parquet", sounds, caption_1=["a"] * 6, caption_2=["b"] * 6)
    with pytest.raises(DataError, match=r"a\.parquet, row 0: 2 captions"):
        embedded(name, tmp_path / "bank")
    name = write_audio(tmp_path / "b.parquet", sounds)
    monkeypatch.setattr(_parquet, "LARGEST_GROUP", 1000)
    with pytest.raises(DataError, match=r"a row group holds .*row_group_size=100"):
        embedded(name, tmp_path / "bank")
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"b\.parquet: not a whole parquet file"):
        embedded(name, tmp_path / "bank")


@pytest.fixture
def address(sounds: Path) -> Iterator[str]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """It breaks the first answer for 1.wav off."""

        def do_GET(self) -> None:
            file = sounds / self.path.strip("/")
            status = 403 if "secret" in self.path else 200 if file.is_file() else 404
            content = file.read_bytes() if status == 200 else b""
            asked.append(self.path)
            cut = len(content) // 2 if self.path == "/1.wav" and asked.count(self.path) == 1 else None
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:cut])

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_addresses_are_fetched(bank, address, tmp_path) -> None:
    paths = [f"{address}/{number}.wav" for number in (0, 1, 9)]
    listed = [{"url": path, "label": label} for path, label in zip(paths, ("dog", "rain", "dog"), strict=True)]
    found = embedded(write_csv(tmp_path / "m.csv", listed), tmp_path / "bank")
    assert (vectors(found) == vectors(bank)[:2]).all()
    assert f"line 4: {paths[2]}: is not there (HTTP 404)" in found.left_out[paths[2]]
    listed[0]["url"] = f"{address}/secret.wav"  # as it may be for all clips
    with pytest.raises(MgclError, match=r"secret\.wav: HTTP 403: forbidden; run the command again"):
        embedded(write_csv(tmp_path / "n.csv", listed), tmp_path / "none")
