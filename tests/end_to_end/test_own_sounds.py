"""Fit, predict, evaluate: the commands, on files; and the classifier beside a sweep, on real recordings."""

import csv
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import soundfile

from mgcl import FewShotClassifier
from mgcl.backbones import tiny
from mgcl.cli import main
from mgcl.data import esc50
from mgcl.data._episodes import draw, pool
from mgcl.extraction.extract import extract
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from tests import cases
from tests.generated_sounds import KINDS, RATE, waveform

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "esc10"


def test_on_the_clips_of_an_episode_it_is_as_accurate_as_the_sweep(tmp_path) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"{RECORDINGS} is not here")
    recordings = esc50.read(RECORDINGS)
    of_class = {label: [file for file in recordings.files if file.label == label] for label in recordings.classes}
    dataset = replace(recordings, files=tuple(file for files in of_class.values() for file in files[:15]))
    bank = extract(dataset, tiny.load(), tmp_path / "bank")
    cells = plan(cases.sweep("own", ("full", "audio-only"), ways=(5,), shots=(5,), episodes=1, queries=10), bank)
    path_of = {file.clip_id: file.path for file in dataset.files}
    for cell, options in zip(cells, ({}, {"fusion": "audio"}), strict=True):
        trial = cell.trial
        for episode, expected in enumerate(run_trial(trial, bank).confusions):
            drawn = draw(
                pool(bank.clip_records), dataset=trial.dataset, fold=trial.cell.fold, way=5, shot=5, queries=10,
                seed=trial.cell.seed, index=episode,
            )  # fmt: skip
            support, query = (
                ([path_of[clip] for row in clips for clip in row], [label for label in drawn.classes for _ in clips[0]])
                for clips in (drawn.support, drawn.query)
            )
            classifier = FewShotClassifier(method="mgcl", **options).fit(*support, explanations="esc10")
            assert classifier.score(*query) == expected.accuracy


@dataclass(frozen=True)
class Said:
    stdout: str
    stderr: str


def run(*arguments: object, stdin: str = "", code: int = 0) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch("sys.stdin", io.StringIO(stdin)),
        pytest.raises(SystemExit) as end,
    ):
        main([str(each) for each in arguments])
    assert end.value.code == code, err.getvalue()
    return Said(out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("own")
    for part, numbers in (("train", range(3)), ("test", range(3, 6))):
        for kind in KINDS[:3]:
            (root / part / kind).mkdir(parents=True)
            for number in numbers:
                soundfile.write(root / part / kind / f"{number}.wav", waveform(kind, number), RATE)
    (root / "train" / "hum" / "film.mp4").write_bytes(b"a film")
    (root / "train" / "hum" / "deeper").mkdir()
    soundfile.write(root / "train" / "hum" / "deeper" / "9.wav", waveform("hum", 9), RATE)
    return root


@pytest.fixture(scope="module")
def model(sounds) -> Path:
    done = run("fit", sounds / "train", "--out", sounds / "model")
    assert "passed over" in done.stdout
    film = sounds / "train" / "hum" / "film"
    assert f"ffmpeg -i {film}.mp4 {film}.wav" in done.stdout
    assert "9.wav: a class's clips lie in its folder itself" in done.stdout
    assert "9 clips of 3 classes" in done.stdout
    return sounds / "model"


def test_predict_takes_files_folders_patterns_and_stdin(model, sounds) -> None:
    one = sounds / "test" / "hum" / "3.wav"
    as_text = run("predict", model, one).stdout
    assert as_text.split("\t")[:2] == [str(one), "hum"]
    folder = list(csv.DictReader(io.StringIO(run("predict", model, sounds / "test", "--csv").stdout)))
    assert [row["label"] for row in folder] == [kind for kind in sorted(KINDS[:3]) for _ in range(3)]
    assert sum(float(folder[0][kind]) for kind in KINDS[:3]) == pytest.approx(1, abs=1e-5)
    pattern = run("predict", model, f"{sounds}/test/*/3.wav", "--json").stdout.splitlines()
    assert [json.loads(line)["label"] for line in pattern] == sorted(KINDS[:3])
    piped = run("predict", model, "-", stdin=f"{one}\n{sounds / 'train' / 'hum' / '0.wav'}\n").stdout
    assert [line.split("\t")[1] for line in piped.splitlines()] == ["hum", "hum"]
    windows = run("predict", model, one, "--every", 2).stdout.splitlines()
    assert [line.split("\t")[1:3] for line in windows] == [["0.00", "hum"]]


def test_predict_answers_what_it_can_and_says_the_rest(model, sounds, tmp_path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    done = run(
        "predict", model, tmp_path / "text.wav", sounds / "test" / "hum" / "3.wav", tmp_path / "gone.wav", code=1
    )
    assert done.stdout.count("\n") == 1
    assert "text.wav: cannot be decoded, whatever its name says" in done.stderr
    assert "gone.wav: no such file" in done.stderr
    assert "no clips there" in run("predict", model, tmp_path / "*.mp3", code=2).stderr
    assert "-: no clips there" in run("predict", model, "-", code=2).stderr
    soundfile.write(tmp_path / "long.wav", waveform("hum", 9, 12.0), RATE)
    soundfile.write(tmp_path / "quiet.wav", waveform("hum", 9, 1.0) * 0, RATE)
    said = run("predict", model, tmp_path / "long.wav", tmp_path / "quiet.wav", tmp_path / "*.mp3", code=1)
    assert "are longer than 5 s" not in said.stderr
    assert "quiet.wav: is silent; the answer means nothing" in said.stderr
    assert said.stdout.split("\t")[1] == "hum"
    one = run("predict", model, tmp_path / "long.wav", tmp_path / "quiet.wav", "--one-window", "--workers", 2).stderr
    assert "1 of 2 clips are longer than 5 s" in one
    assert "model.json: no such file" in run("predict", sounds, sounds / "test", code=2).stderr


def test_evaluate_leaves_out_what_it_was_fitted_on(model, sounds) -> None:
    said = run("evaluate", model, sounds / "test").stdout
    assert said.startswith("accuracy 100.0 % of 9 clips (95 %: 70.1 to 100.0)")
    assert "of these right %" in said
    found = json.loads(run("evaluate", model, sounds / "test", "--json", "--errors", sounds / "wrong.csv").stdout)
    assert (sounds / "wrong.csv").read_text() == "clip,true,answered,probability\n"
    assert found["turned_away"] is None
    assert found["confusion"] == {kind: {kind: 3} for kind in KINDS[:3]}
    assert "no clips there that the model was not fitted on" in run("evaluate", model, sounds / "train", code=2).stderr


def test_fit_says_what_it_needs(sounds, tmp_path) -> None:
    (tmp_path / "one" / "dog").mkdir(parents=True)
    soundfile.write(tmp_path / "one" / "dog" / "1.wav", waveform("hum", 1), RATE)
    assert "at least 2 classes are needed" in run("fit", tmp_path / "one", "--out", tmp_path / "m", code=2).stderr
    (tmp_path / "one" / "cat").mkdir()
    assert "cat: no clips" in run("fit", tmp_path / "one", "--out", tmp_path / "m", code=2).stderr
    soundfile.write(tmp_path / "one" / "cat" / "1.wav", waveform("hiss", 1), RATE)
    assert "warning: a class has fewer than 2 clips" in run("fit", tmp_path / "one", "--out", tmp_path / "m").stderr
    wrong = run("fit", sounds / "train", "--out", tmp_path / "m", "--option", "alpah", "1", code=2).stderr
    assert "error: --option alpah: the method multi_grained_kernel has none of that name; it has " in wrong
    assert "gone.json: no such file" in run(
        "fit", sounds / "train", "--out", tmp_path / "m2", "--explanations", tmp_path / "gone.json", code=2
    ).stderr  # fmt: skip
    for out in (sounds / "train" / "hum" / "0.wav", sounds / "train" / "hum" / "0.wav" / "model", sounds / "train"):
        assert "name another" in run("fit", sounds / "train", "--out", out, code=2).stderr
    assert not (tmp_path / "m2").exists()


def test_what_a_command_says_names_its_own_flags(model, sounds, tmp_path) -> None:
    tone = waveform("hum", 9)
    soundfile.write(tmp_path / "phase.wav", np.stack([tone, -tone], 1), RATE)
    phase = run("predict", model, tmp_path / "phase.wav", code=1).stderr
    assert "phase.wav: its channels are in opposite phase" in phase
    assert "take one of them: --channels left, right or louder" in phase
    assert "hum" in run("predict", model, tmp_path / "phase.wav", "--channels", "left").stdout
    (tmp_path / "other" / "siren").mkdir(parents=True)
    soundfile.write(tmp_path / "other" / "siren" / "1.wav", waveform("siren", 1), RATE)
    assert "or fit with --none-of-these" in run("evaluate", model, tmp_path / "other", code=2).stderr
    rate = run("fit", sounds / "train", "--out", tmp_path / "m", "--none-of-these", "--reject-rate", 2, code=2).stderr
    assert "error: --reject-rate is 2.0; it is a share of clips, from 0 to less than 1\n" in rate


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text())))


def test_detect_finds_events_that_fit_reads_back(model, tmp_path) -> None:
    quiet = np.random.default_rng(0).normal(size=3 * RATE) / 1e4
    (tmp_path / "field").mkdir()
    soundfile.write(
        tmp_path / "field" / "a.wav", np.concatenate([waveform("hum", 9), quiet, waveform("beeps", 9)]), RATE
    )
    (tmp_path / "field" / "b.wav").write_text("no sound")
    out = tmp_path / "events.csv"
    how = ("--on", 0.7, "--on", "hiss=1", "--hop", 0.5)
    said = run("detect", model, tmp_path / "field", "--out", out, *how, code=1)
    assert "the model knows no background" in said.stderr
    assert "thresholds on / off: beeps 0.70 / 0.70, hiss 1.00 / 1.00, hum 0.70 / 0.70" in said.stderr
    assert "b.wav: cannot be decoded" in said.stderr
    events = rows_of(out)
    assert {row["path"] for row in events} == {"field/a.wav"}
    assert {"hum", "beeps"} <= {row["label"] for row in events}
    soundfile.write(tmp_path / "field" / "b.wav", waveform("beeps", 8), RATE)
    assert "1 of 2 recordings were done before" in run("detect", model, tmp_path / "field", "--out", out, *how).stderr
    assert {row["path"] for row in rows_of(out)} == {"field/a.wav", "field/b.wav"}
    other = run("detect", model, tmp_path / "field", "--out", out, "--hop", 1, code=2).stderr
    assert "events.csv.progress.jsonl: holds events that were found with another" in other
    assert "name another --out" in other
    again = run("fit", "--annotations", out, "--out", tmp_path / "again")
    assert f"{tmp_path / 'again'}: {len(rows_of(out))} clips of" in again.stdout
    assert "give FOLDER" in run("fit", "--out", tmp_path / "again", code=2).stderr
    for flags, words in (
        (("--window", 9), "a window has 0.01 to 5 s"),
        (("--hop", 0), "--hop 0: a number of seconds above 0"),
        (("--on", "dog=0.5"), "--on dog: no class of the model, which knows beeps, hiss, hum"),
        (("--on", "0.4", "--off", "hum=0.5"), "--off 0.5 of hum: is above --on"),
        (("--format", "audacity"), "is one file per recording: give --out FOLDER"),
    ):
        assert words in run("detect", model, tmp_path / "field", *flags, code=2).stderr


def test_model_is_shown_and_changed(model, tmp_path) -> None:
    shown = run("model", "show", model).stdout
    assert "classes: beeps (3 clips), hiss (3 clips), hum (3 clips)" in shown
    assert "backbone: tiny of fingerprint" in shown
    assert "longer clips: the whole clip is taken" in shown
    soundfile.write(tmp_path / "new.wav", waveform("siren", 1), RATE)
    changed = tmp_path / "changed"
    added = run("model", "add", model, "siren", tmp_path / "new.wav", "--out", changed)
    assert f"{changed}: 10 clips of 4 classes: beeps, hiss, hum, siren" in added.stdout
    assert "beeps, hiss, hum, whistle" in run("model", "rename", changed, "siren", "whistle").stdout
    assert "a class has fewer than 2 clips" in run("model", "card", changed).stdout.lower()
    assert "9 clips of 3 classes: beeps, hiss, hum" in run("model", "remove", changed, "whistle").stdout
    run("model", "card", changed, "--out", tmp_path / "card.md")
    card = (tmp_path / "card.md").read_text()
    assert card.startswith("# changed\n")
    assert "9 of 9 are recognised" in card
    assert "MIT, as mgcl" in card
    assert run("model", "show", changed).stdout == shown  # removed again, it is the model that it was
    assert "'owl' is no class of the model" in run("model", "remove", model, "owl", code=2).stderr


def test_several_labels_background_and_update(sounds, tmp_path) -> None:
    rows = [f"{kind}/{number}.wav,{kind}" for kind in ("hum", "beeps") for number in range(3)]
    for number in range(2):
        both = (waveform("hum", number) + waveform("beeps", 9 - number)) / 2
        soundfile.write(sounds / "train" / f"both-{number}.wav", both, RATE)
        rows.append(f"both-{number}.wav,hum;beeps" if number else "both-0.wav,hum\nboth-0.wav,beeps")
    listed = sounds / "train" / "clips.csv"
    listed.write_text("\n".join(["path,label", *rows]))
    model = tmp_path / "tagger"
    noise = ("--background", sounds / "train" / "hiss")
    done = run("fit", listed, "--multi-label", *noise, "--out", model)
    assert f"{model}: 8 clips of 2 classes" in done.stdout
    assert "of 3 (" in next(line for line in done.stdout.splitlines() if line.startswith("background, left out"))
    both = sounds / "train" / "both-1.wav"
    (row,) = csv.DictReader(io.StringIO(run("predict", model, both, "--csv").stdout))
    named = {label for label in ("hum", "beeps") if label in row["label"].split(";")}
    assert len(row["probability"].split(";")) == len(row["label"].split(";"))
    (answer,) = map(json.loads, run("predict", model, both, "--json").stdout.splitlines())
    assert set(answer["labels"]) == named
    (sounds / "test" / "copies.csv").write_text("path,label\nhum/3.wav,hum\nbeeps/3.wav,beeps\nhiss/3.wav,\n")
    verdict = run("evaluate", model, sounds / "test" / "copies.csv", "--background", sounds / "test" / "hiss").stdout
    assert "mAP" in verdict
    assert "of 3 clips; all labels right" in verdict
    assert f"{sounds / 'test' / 'hiss'}: " in verdict
    soundfile.write(sounds / "train" / "siren.wav", waveform("siren", 1), RATE)
    listed.write_text("\n".join(["path,label", *rows, "siren.wav,siren"]))
    grown = run("fit", listed, "--update", model, "--out", tmp_path / "grown")
    assert f"{model}: held 13 labels, and 1 are new" in grown.stdout
    assert "each counts once" not in grown.stderr
    assert f"{tmp_path / 'grown'}: 9 clips of 3 classes" in grown.stdout
    assert "mAP" in run("model", "card", tmp_path / "grown").stdout
    for arguments, words in (
        ((listed, "--update", model, "--multi-label"), "--multi-label: a model keeps what it was fitted with"),
        ((listed, "--out", model), "both-0.wav is listed 2 times"),
        ((listed, "--out", model, "--multi-label", "--none-of-these"), "leave out --none-of-these"),
        ((listed, "--out", model, "--background", sounds), "give --none-of-these or --multi-label too"),
        ((sounds / "train",), "give --out DIR"),
    ):
        assert words in run("fit", *arguments, code=2).stderr
