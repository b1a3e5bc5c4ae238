"""The picture of a clip's frames against the words of its sentence, in a sweep's report."""

from dataclasses import replace

import pytest

from mgcl.backbones import tiny
from mgcl.data import soundscape_captions, soundscape_events
from mgcl.extraction.extract import extract
from mgcl.sweep import reports
from mgcl.sweep.aligned import alignment
from tests.unit.test_tables import ZERO


@pytest.fixture(scope="module", params=[soundscape_captions, soundscape_events], ids=["captions", "classes"])
def embedded(request, tmp_path_factory):
    """A small generated set, its bank by the tiny backbone, and its audio."""
    root = tmp_path_factory.mktemp("set")
    dataset = request.param.generate(root / "sounds", clips=2)
    bank = extract(dataset, tiny.load(), root / "bank")
    return bank, {file.clip_id: file.path for file in dataset.files}


def test_the_first_clip_is_drawn_against_its_sentence(embedded) -> None:
    bank, audio = embedded
    picture = alignment(bank, audio)
    clip = bank.clips["clip_id"][0].as_py()
    assert picture.name == "alignment" and picture.png.startswith(b"\x89PNG")
    assert picture.caption.startswith(f"The beginning of clip {clip}, 5 s as the backbone takes them: how its frames")
    assert "over the codebook" in picture.caption


def test_a_report_without_a_transport_plan_has_it(embedded, empty_store, tmp_path) -> None:
    bank, audio = embedded
    root = next(iter(audio.values())).parents[1]
    where = replace(ZERO.setting, task="zero_shot", dataset=bank.header.dataset, bank=bank.digest)
    run = replace(ZERO, setting=replace(where, drawn=(("classes", 3),)), column=("prompt",), pooled=())
    found = {"runs": [run], "planned": [run.key], "banks": [bank], "roots": {bank.digest: root}}
    folder = reports.draw("s", f"sqlite:///{empty_store}", tmp_path, **found)
    assert (folder / "alignment.png").is_file()
    assert "how its frames (columns) meet the words of" in (folder / "report.md").read_text()


def test_without_sound_or_with_another_backbone_there_is_none(embedded, bank) -> None:
    own, audio = embedded
    assert alignment(own, {}) is None
    assert alignment(bank, dict.fromkeys(bank.row_of_clip, next(iter(audio.values())))) is None


def test_a_file_that_cannot_be_decoded_costs_the_picture_alone(embedded, tmp_path, capsys) -> None:
    own, audio = embedded
    (tmp_path / "cut.wav").write_bytes(b"RIFF")
    assert alignment(own, dict.fromkeys(audio, tmp_path / "cut.wav")) is None
    said = capsys.readouterr().err
    assert said.startswith("no picture of words over frames: ") and "cut.wav" in said


def test_other_weights_than_the_banks_are_named_and_not_drawn(embedded, monkeypatch, capsys) -> None:
    own, audio = embedded
    (former,) = (tiny.SHIPPED / "former").iterdir()
    monkeypatch.setenv("MGCL_TINY_WEIGHTS", str(former))
    assert alignment(own, audio) is None
    said = capsys.readouterr().err
    assert f"{own.path} was made with other weights of tiny than those here; set MGCL_TINY_WEIGHTS to them" in said
