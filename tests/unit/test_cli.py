"""The ``mgcl`` command: what it prints and how it leaves."""

import numpy as np
import pandas as pd
import pytest
import torch

from mgcl.cli import main
from mgcl.transport.matching import Matching
from mgcl.transport.pairwise import SimilarityStore
from mgcl.transport.tiles import machine_root
from tests.generated_sounds import write_sounds


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_the_former_name_of_a_command_says_the_new_one(capsys) -> None:
    assert run(capsys, "cache", "rm", "--all")[2] == (
        "error: `mgcl cache` is now `mgcl similarities rm --all`: a cache is the method's alone\n"
    )


def test_an_unknown_flag_prints_the_usage_of_its_command(capsys) -> None:
    code, _, error = run(capsys, "bank", "info", "somewhere", "--colour", "red")
    assert code == 2
    assert error.startswith("usage: mgcl bank")
    assert error.endswith("error: unrecognized arguments: --colour red\n")


def test_bank_info(bank, capsys) -> None:
    code, output, _ = run(capsys, "bank", "info", bank.path)
    assert code == 0
    for line in (
        f"digest    {bank.digest}",
        "dataset   generated 0",
        "licence   CC0-1.0",
        "backbone  drawn, d = 24, logit scale 30",
        "audio     5 s at 16000 Hz, 5 segments per clip",
        "clips     96 from 48 recordings",
        "classes   6, 8 explanations each",
        "columns   caption 24; clip 24; segments 5 x 24; prompt 24; explanations 8 x 24",
        "  class_05     16 clips",
    ):
        assert line in output.splitlines()


def test_bank_import_and_export(material, capsys, tmp_path) -> None:
    files = [each for name, path in material.items() for each in (f"--{name}", path)]
    about = (
        "--dataset",
        "generated",
        "--backbone",
        "drawn",
        "--logit-scale",
        30,
        "--sample-rate",
        16000,
        "--seconds",
        5,
    )
    code, output, _ = run(capsys, "bank", "import", *files, *about)
    assert (code, "96 clips, 6 classes" in output) == (0, True)
    code, _, errors = run(capsys, "bank", "import", *files, *about)
    assert (code, "exists already" in errors) == (2, True)
    code, _, _ = run(capsys, "bank", "export", material["out"], "--parquet", tmp_path / "parquet")
    assert code == 0
    assert {file.name for file in (tmp_path / "parquet").iterdir()} == {"clips.parquet", "classes.parquet", "bank.json"}


def test_tokens_words_and_events_are_imported_and_shown(capsys, tmp_path) -> None:
    random = np.random.default_rng(0)
    arrays = {"audio": random.random((9, 4)), "audio_offsets": [0, 4, 9], "word_vectors": random.random((2, 3))}
    video = {"video": random.random((5, 6)).astype(np.float16), "video_offsets": [0, 0, 5]}
    np.savez(tmp_path / "arrays.npz", **arrays, **video)
    (tmp_path / "clips.csv").write_text("clip_id,labels\nx,dog | rain\ny,\n")
    (tmp_path / "classes.csv").write_text("label\ndog\nrain\n")
    (tmp_path / "events.csv").write_text("clip_id,onset,offset,label\nx,0,1.5,dog\nx,1,2,rain\n")
    files = [each for name in ("clips", "classes", "events") for each in (f"--{name}", tmp_path / f"{name}.csv")]
    files += ["--arrays", tmp_path / "arrays.npz", "--out", tmp_path / "bank"]
    about = ["--dataset", "scenes", "--backbone", "drawn", "--audio-step", 0.96, "--video-step", 0.64]
    code, output, errors = run(capsys, "bank", "import", *files, *about)
    assert (code, "2 clips, 2 classes" in output, errors) == (0, True, "")
    code, output, _ = run(capsys, "bank", "info", tmp_path / "bank")
    assert code == 0
    for line in (
        "backbone  drawn",
        "captions  none",
        "clips     2",
        "classes   2",
        "columns   audio 4 to 5 x 4, one per 0.96 s; video 0 to 5 x 6 float16, one per 0.64 s; word_vector 3",
        "events    2",
        "  dog       1 clips",
    ):
        assert line in output.splitlines()
    assert "audio     " not in output
    code, _, errors = run(capsys, "bank", "import", *files, *about[:-2], "--out", tmp_path / "other")
    assert (code, "video tokens come without their step; give the seconds per video token" in errors) == (2, True)


def test_a_logarithm_for_a_scale_is_pointed_out(material, capsys) -> None:
    files = [each for name, path in material.items() for each in (f"--{name}", path)]
    about = ("--dataset", "d", "--backbone", "b", "--logit-scale", 4.6052, "--sample-rate", 16000, "--seconds", 5)
    code, _, errors = run(capsys, "bank", "import", *files, *about)
    assert code == 0
    assert "that is its logarithm, and the scale is 100" in errors


def test_captions_that_name_their_class_are_pointed_out(material, capsys) -> None:
    table = pd.read_csv(material["clips"], dtype=str)
    table["caption"] = "the sound of " + table["label"]
    table.to_csv(material["clips"], index=False)
    files = [each for name, path in material.items() for each in (f"--{name}", path)]
    about = ("--dataset", "d", "--backbone", "b", "--logit-scale", 30, "--sample-rate", 16000, "--seconds", 5)
    code, _, errors = run(capsys, "bank", "import", *files, *about)
    assert code == 0
    assert "warning: 100 % of the captions contain a word of their class's name" in errors


def test_data_generate_writes_a_split(capsys, tmp_path) -> None:
    code, output, _ = run(capsys, "data", "generate", "--root", tmp_path / "s", "--split", "development", "--clips", 1)
    assert (code, output) == (0, f"{tmp_path / 's'}: 15 clips, 15 classes, soundscapes-development\n")
    code, _, errors = run(capsys, "data", "generate", "--root", tmp_path / "t", "--split", "test")
    assert (code, errors) == (2, "error: --split test: choose evaluation, development, training\n")


def test_pretraining_plans_are_refused_before_anything_is_generated(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    code, _, errors = run(capsys, "pretrain", "--out", tmp_path / "w", "--steps", -1)
    assert (code, errors) == (2, "error: --steps must be at least 1, got -1\n")
    assert not (tmp_path / "home").exists()


def test_a_wrong_bank_is_one_line_and_exit_code_2(capsys, tmp_path) -> None:
    code, output, errors = run(capsys, "bank", "info", tmp_path / "nowhere")
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("error: ")


def test_a_report_of_nothing_is_refused(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path / "home"))
    code, _, errors = run(capsys, "report", "full_grid", "--out", tmp_path)
    assert code == 2
    assert "no sweep called 'full_grid' is recorded there; run it with `mgcl sweep` first" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def kept(tmp_path, monkeypatch) -> SimilarityStore:
    """Two stores under a home of their own."""
    monkeypatch.setenv("MGCL_HOME", str(tmp_path))
    for digest in ("a" * 64, "b" * 64):
        store = SimilarityStore(np.ones((4, 2, 3), np.float32), np.zeros(4), digest=digest, root=machine_root(tmp_path))
        store.look_up(np.arange(4), np.arange(4), Matching())
    return store


@pytest.mark.usefixtures("kept")
def test_cache_ls(capsys) -> None:
    code, output, _ = run(capsys, "similarities", "ls")
    first, second, last = output.splitlines()
    assert code == 0
    assert f"bank {'a' * 16}  transport   epsilon 0.1, tolerance 0.0001" in first
    assert "1 tiles" in second
    assert last.endswith("2 stores, 0.00 of 20 GB")


def test_cache_rm_by_bank_name_and_all(kept, capsys) -> None:
    name = run(capsys, "similarities", "ls")[1].split()[0]
    assert "removed 1 stores" in run(capsys, "similarities", "rm", "b" * 16)[1]
    assert "removed 1 stores" in run(capsys, "similarities", "rm", name[:8])[1]
    assert "0 stores" in run(capsys, "similarities", "ls")[1]
    assert "removed 0 stores" in run(capsys, "similarities", "rm", "--all")[1]
    assert torch.allclose(kept.look_up(np.arange(4), np.arange(4), Matching()).value, torch.ones(4, 4))


@pytest.mark.usefixtures("kept")
def test_cache_rm_of_what_is_not_there(capsys) -> None:
    code, _, error = run(capsys, "similarities", "rm", "c" * 16)
    assert code == 2
    assert "no store and no bank begins with 'cccccccccccccccc'" in error
    for neither_nor_both in ((), ("a" * 16, "--all")):
        code, _, error = run(capsys, "similarities", "rm", *neither_nor_both)
        assert code == 2
        assert "or say --all" in error


def test_fit_with_tiny_prints_the_command_with_a_clap(tmp_path, capsys, monkeypatch) -> None:
    """A person with recordings shall not stay with the backbone of generated sounds."""
    write_sounds(tmp_path / "my sounds", ("hum", "hiss"), clips=2)
    words = ["fit", tmp_path / "my sounds", "--out", tmp_path / "model", "--method", "prototypical", "--backbone"]
    again = f"mgcl fit '{tmp_path}/my sounds' --out {tmp_path}/model --method prototypical --backbone transformers_clap"
    code, output, _ = run(capsys, *words, "tiny")
    assert code == 0
    assert f"for recordings take a CLAP: {again} (first run `mgcl weights fetch transformers_clap`)" in output
    monkeypatch.setenv("MGCL_TRANSFORMERS_CLAP_WEIGHTS", "mine")
    assert f"{again} (its weights are here)" in run(capsys, *words[:-1])[1]
