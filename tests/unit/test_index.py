"""An index of recordings: what it holds, how it goes on after an interruption, and what is found in it."""

import csv
import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from mgcl.classifier import embedding
from mgcl.classifier.embedding import embedded
from mgcl.classifier.index import building, parts
from mgcl.classifier.index.building import extended
from mgcl.classifier.index.header import Header
from mgcl.classifier.index.index import Index
from mgcl.classifier.index.search import find, query_of_sound, query_of_text
from mgcl.classifier.sounds import Sound
from mgcl.classifier.windows import windows
from mgcl.cli import main
from mgcl.errors import ClassifierError, DataError, MgclError
from mgcl.transport.similarity import similarity
from tests.generated_backbone import Bands
from tests.generated_sounds import RATE, waveform

HEADER = Header.of("bands", None, Bands(), window=2.0, hop=1.0, channels="average")


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """Nine seconds of hum with beeps from 6 to 8 s, and five of hiss of which the first three are silent."""
    hum, hiss = waveform("hum", 0, 9.0), waveform("hiss", 0, 5.0)
    hum[6 * RATE : 8 * RATE] = waveform("beeps", 1)
    hiss[: 3 * RATE] = 0
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, samples in (("hiss.wav", hiss), ("hum.wav", hum)):
        soundfile.write(folder / name, samples, RATE)
    return [folder / "hiss.wav", folder / "hum.wav"]


def build(folder: Path, paths: list[Path], watch: Callable[[int], object] = lambda _count: None) -> Index:
    with extended(folder, HEADER) as open_index:
        todo = [path for path in paths if not open_index.has(path)]
        faults = [error for _, error in open_index.embed(Bands(), todo, watch=watch) if error]
    assert faults == []
    return Index.open(folder)


def same(one: Index, other: Index) -> bool:
    arrays = ("recording", "starts", "stops", "usable")
    rows = np.arange(len(one))
    return (
        one.recordings == other.recordings
        and all((getattr(one, name) == getattr(other, name)).all() for name in arrays)
        and (one.clip(rows) == other.clip(rows)).all()
        and (one.segments(rows) == other.segments(rows)).all()
    )


def beeps() -> Sound:
    return Sound("beeps", waveform("beeps", 2))


def test_it_holds_the_windows_as_the_backbone_embeds_them(recordings, tmp_path) -> None:
    index = build(tmp_path / "index", recordings)
    assert [Path(each).name for each in index.recordings] == ["hiss.wav", "hum.wav"]
    assert list(index.starts) == [0, 1, 2, 3, *range(8)]
    assert (index.stops == index.starts + 2).all()
    assert list(index.usable[:4]) == [False, False, True, True]
    sounds = list(windows(recordings[1], every=1.0, sample_rate=RATE, seconds=2.0))
    expected, _ = embedded(sounds, Bands(), None, None)
    np.testing.assert_array_equal(index.clip(np.arange(4, 12)), expected.clip)
    np.testing.assert_allclose(index.segments(np.arange(4, 12)), expected.segments, atol=1e-3)
    assert (index.stretch(11).path, index.stretch(11).start) == (str(recordings[1]), 7)


def test_an_interrupted_index_goes_on_to_the_same_bits(recordings, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(building, "BATCH", 3)
    monkeypatch.setattr(building, "PART", 4)
    whole, count = build(tmp_path / "whole", recordings), 0

    def interrupt(added: int) -> None:
        nonlocal count
        count += added
        if count in (3, 7):
            raise KeyboardInterrupt

    for kept in (3, 7):
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "index", recordings, interrupt)
        assert len(Index.open(tmp_path / "index")) == kept
    (tmp_path / "index" / ".draft-of-a-killed-process.part").write_bytes(b"half")
    assert same(build(tmp_path / "index", recordings), whole)
    assert not list((tmp_path / "index").glob(".draft*"))
    files = set((tmp_path / "index").glob("windows-*"))
    build(tmp_path / "index", recordings)
    assert set((tmp_path / "index").glob("windows-*")) == files


def test_a_changed_recording_counts_anew(recordings, tmp_path) -> None:
    before = build(tmp_path / "index", recordings)
    soundfile.write(recordings[1], waveform("siren", 3, 4.0), RATE)
    index = build(tmp_path / "index", recordings)
    assert len(index) == len(before) + 3
    assert list(np.flatnonzero(index.usable)) == [2, 3, 12, 13, 14]
    assert {hit.recording for hit in find(index, query_of_sound(beeps(), Bands()))} <= set(map(str, recordings))


def test_a_part_that_was_removed_is_made_again(recordings, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(building, "BATCH", 3)
    monkeypatch.setattr(building, "PART", 3)
    count = int(build(tmp_path / "index", recordings).usable.sum())
    damaged = tmp_path / "index" / "windows-00002.arrow"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"windows-00002.arrow: damaged.*; remove it") as error:
        Index.open(tmp_path / "index")
    assert str(error.value).count("\n") == 0
    damaged.unlink()
    assert int(Index.open(tmp_path / "index").usable.sum()) < count
    assert int(build(tmp_path / "index", recordings).usable.sum()) == count


@pytest.mark.parametrize("asked", ["sound", "text"])
def test_what_is_found_is_what_brute_force_finds(asked, recordings, tmp_path) -> None:
    index = build(tmp_path / "index", recordings)
    query = query_of_sound(beeps(), Bands()) if asked == "sound" else query_of_text("a short beep", Bands())
    hits = find(index, query, top=3)
    rows = np.flatnonzero(index.usable)
    fine = similarity(query.segments[None], torch.from_numpy(index.segments(rows))).value[0].numpy()
    scores = (index.clip(rows) @ query.clip.numpy() + fine) / 2
    best = rows[scores.argmax()]
    assert (hits[0].recording, hits[0].start) == (index.stretch(best).path, index.starts[best])
    assert hits[0].score == pytest.approx(scores.max(), abs=1e-6)
    assert hits[0].score == pytest.approx((hits[0].cosine + hits[0].similarity) / 2)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    spans = [(hit.recording, hit.start, hit.end) for hit in hits]
    assert not any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in spans for b in spans if a != b)
    if asked == "sound":
        assert spans[0] == (str(recordings[1]), 6, 8)


def test_the_match_lies_where_the_sound_is(tmp_path) -> None:
    samples = np.random.default_rng(0).normal(size=2 * 20 * RATE // 2).astype(np.float32) / 1000
    samples[11 * RATE : 11 * RATE + RATE // 2] += waveform("siren", 0, 0.5)
    soundfile.write(tmp_path / "quiet.wav", samples, RATE)
    index = build(tmp_path / "index", [tmp_path / "quiet.wav"])
    query = np.concatenate([waveform("siren", 0, 0.5), samples[: 3 * RATE // 2]])
    hit = find(index, query_of_sound(Sound("siren", query), Bands()), top=1)[0]
    assert (hit.match_start >= 10.5, hit.match_end) == (True, 11.5)  # of segments of half a second


def test_a_number_of_hits_is_checked(recordings, tmp_path) -> None:
    index = build(tmp_path / "index", recordings[:1])
    with pytest.raises(ClassifierError, match="`top` 0: a number of windows from 1 to 1000"):
        find(index, query_of_sound(beeps(), Bands()), top=0)
    with pytest.raises(ClassifierError, match="is silent"):
        query_of_sound(Sound("silence", np.zeros(2 * RATE, np.float32)), Bands())


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(recordings, tmp_path, monkeypatch) -> None:
    build(tmp_path / "index", recordings[:1])

    def full(*_: object) -> Iterator[Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(DataError, match=r"8 windows cannot be written \(No space left"):
        patch.setattr(parts, "replacing", full)
        build(tmp_path / "index", recordings)
    assert len(Index.open(tmp_path / "index")) == 4
    assert len(build(tmp_path / "index", recordings)) == 12


def test_two_processes_at_once_are_refused(tmp_path) -> None:
    again = pytest.raises(MgclError, match="another process is extending it")
    with extended(tmp_path, HEADER), again, extended(tmp_path, HEADER):
        pass


@pytest.fixture
def bands(monkeypatch) -> Iterator[None]:
    """The backbone of these tests under the name bands, and under bands2 with other weights."""

    def load(_kind: str, name: str) -> SimpleNamespace:
        def loaded(_weights: str | None, _device: str) -> Bands:
            backbone = Bands()
            backbone.fingerprint = {"bands": Bands.fingerprint, "bands2": "f" * 16}[name]
            return backbone

        return SimpleNamespace(load=loaded)

    monkeypatch.setattr(embedding, "load", load)
    embedding.loaded_backbone.cache_clear()
    yield
    embedding.loaded_backbone.cache_clear()


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


@pytest.mark.usefixtures("bands")
def test_the_commands(recordings, tmp_path, capsys) -> None:
    out, folder = tmp_path / "index", recordings[0].parent
    (folder / "text.wav").write_text("no sound")
    code, said, errors = run(capsys, "index", folder, "--out", out, "--backbone", "bands")
    assert (code, said) == (1, f"{out}: 10 windows of 2 recordings, 2 s every 1 s\n")
    assert f"error: {folder / 'text.wav'}: cannot be decoded" in errors
    (folder / "text.wav").unlink()
    code, _, errors = run(capsys, "index", folder, "--out", out)
    assert (code, "2 of 2 recordings were done before" in errors) == (0, True)

    soundfile.write(tmp_path / "beeps.wav", waveform("beeps", 2), RATE)
    page = tmp_path / "pages" / "found.html"
    code, said, errors = run(capsys, "find", out, "--like", tmp_path / "beeps.wav", "--top", 2, "--page", page)
    rows = list(csv.DictReader(said.splitlines()))
    assert (code, errors) == (0, f"page: {page}\n")
    assert (rows[0]["recording"], rows[0]["start"], rows[0]["end"]) == (str(recordings[1]), "6.000", "8.000")
    assert page.read_text().count("data:audio/wav;base64,UklGR") == 2
    recordings[0].unlink()
    code, said, errors = run(capsys, "find", out, "--text", "a noise", "--json", "--page", page)
    assert {json.loads(line)["recording"] for line in said.splitlines()} == set(map(str, recordings))
    assert (code, "hiss.wav" in errors, "cannot be decoded now" in page.read_text()) == (1, True, True)


@pytest.mark.usefixtures("bands")
def test_what_is_wrong_is_one_line(recordings, tmp_path, capsys) -> None:
    out, empty, other = tmp_path / "index", tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    build(out, recordings)
    with extended(other, HEADER):
        pass
    clip = recordings[0]
    for arguments, expected in (
        (("index", empty, "--out", out, "--backbone", "bands"), "no clips there"),
        (("index", clip, "--out", clip.parent, "--backbone", "bands"), "holds something else than an index"),
        (("index", clip, "--out", clip), "name another place"),
        (("index", clip, "--out", out, "--backbone", "bands2"), "holds windows of another backbone, fingerprint"),
        (("index", clip, "--out", out, "--hop", 0.5), "holds windows of another hop (1.0); leave these options out"),
        (("index", clip, "--out", out, "--window", 3), "--window 3: a window has 0.01 to 2 s"),
        (("index", clip, "--out", out, "--window", 0), "--window 0: a window has 0.01 to 2 s"),
        (("index", clip, "--out", out, "--hop", 0), "--hop 0: a number of seconds above 0"),
        (("find", tmp_path / "none", "--text", "rain"), "no index of recordings; `mgcl index` makes one"),
        (("find", other, "--text", "rain"), "holds no window that is not silent"),
        (("find", out, "--text", "rain", "--top", 1001), "--top 1001: a number of windows from 1 to 1000"),
        (("find", out, "--like", tmp_path / "none.wav"), "none.wav"),
    ):
        code, _, errors = run(capsys, *arguments)
        assert (code, errors.count("\n")) == (2, 1), errors
        assert expected in errors
    header = json.loads((out / "index.json").read_text())
    (out / "index.json").write_text(json.dumps({**header, "fingerprint": "0" * 16}))
    code, _, errors = run(capsys, "find", out, "--text", "rain")
    assert (code, errors.count("\n"), "name those that it was made with (--weights)" in errors) == (2, 1, True)
    (out / "index.json").write_text("[]")
    assert "format None, where this mgcl reads 1" in run(capsys, "find", out, "--text", "rain")[2]
