"""``mgcl caption``: from a data set's folder to captions, also where it is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl.captioners.file import read_captions
from mgcl.cli import main
from tests.checkpoints import captioners as checkpoints

MGCL = str(Path(sys.executable).with_name("mgcl"))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Sixteen noises in ESC-50's layout."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "audio").mkdir()
    (folder / "meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for i in range(16):
        name = f"1-{i}-A-0.wav"
        noise = 0.1 * np.random.default_rng(i).standard_normal(16000)
        soundfile.write(folder / "audio" / name, noise, 16000)
        rows.append(f"{name},1,0,{('dog', 'rain')[i % 2]},True,{i},A")
    (folder / "meta" / "esc50.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return checkpoints.whisper(tmp_path_factory.mktemp("model"))


def run(capfd, *asked: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in asked])
    said = capfd.readouterr()
    return left.value.code, said.out, said.err


def test_killed_it_goes_on_and_writes_the_same(root, model, tmp_path, capfd) -> None:
    asked = (
        "caption",
        "--dataset",
        "esc50",
        "--root",
        root,
        "--captioner",
        "transformers",
        "--model",
        model,
        "--batch",
        2,
    )
    whole, out = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    code, said, errors = run(capfd, *asked, "--out", whole)
    assert code == 0, errors
    assert said == f"{whole}: 16 captions, 0.0 % contain a word of their class's name\n"
    # Progress, and nothing of transformers'.
    assert not [line for line in errors.replace("\r", "\n").splitlines() if line and "captioning clips" not in line]
    assert len(read_captions(whole)) == 16

    with subprocess.Popen([MGCL, *map(str, asked), "--out", str(out)], stderr=subprocess.DEVNULL) as command:
        deadline = time.monotonic() + 120
        while not out.exists() or out.read_bytes().count(b"\n") < 3:
            assert time.monotonic() < deadline and command.poll() is None
            time.sleep(0.005)
        command.send_signal(signal.SIGKILL)
    kept = out.read_bytes()
    assert whole.read_bytes().startswith(kept) and kept != whole.read_bytes()
    out.write_bytes(kept[:-5])
    assert run(capfd, *asked, "--out", out)[0] == 0
    assert out.read_bytes() == whole.read_bytes()


def test_another_model_is_refused_and_a_missing_one_named(root, model, tmp_path, capfd) -> None:
    asked = ("caption", "--dataset", "esc50", "--root", root, "--captioner", "transformers")
    out = tmp_path / "captions.jsonl"
    out.write_text('{"dataset": "esc10", "captioner": "transformers", "model": "another"}\n')
    code, _, errors = run(capfd, *asked, "--model", model, "--out", out)
    assert (code, "model another; these are of dataset esc10" in errors) == (2, True)
    code, _, errors = run(capfd, *asked, "--out", out)
    assert (code, "error: MU-NLPC/whisper-small-audio-captioning: cannot be loaded" in errors) == (2, True)


def test_captions_that_name_their_class_are_pointed_out(root, tmp_path, capfd) -> None:
    table = tmp_path / "captions.csv"
    table.write_text(
        "clip_id,caption\n" + "".join(f"1-{i}-A-0,{('A dog barks.', 'Rain falls.')[i % 2]}\n" for i in range(16))
    )
    asked = ("caption", "--dataset", "esc50", "--root", root, "--captioner", "file", "--model", table)
    code, said, errors = run(capfd, *asked, "--out", tmp_path / "captions.jsonl")
    assert (code, "16 captions, 100.0 % contain a word" in said) == (0, True)
    assert "warning: 100 % of the captions contain a word of their class's name" in errors
    assert read_captions(tmp_path / "captions.jsonl") == read_captions(table)
