"""A worker: failures are outcomes, logs are found by key, a shared GPU's memory is kept to its share."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgcl.errors import BankError
from mgcl.features.writer import write_bank
from mgcl.records import TrialFailure, TrialResult
from mgcl.sweep.grid import plan
from mgcl.sweep.worker import Worker
from tests import cases
from tests.generated_bank import write_generated_shards


@pytest.fixture
def trial(bank):
    return plan(cases.sweep("s", ("full",), ways=(2,), shots=(1,), queries=5, episodes=2), bank)[0].trial


def test_a_trial_leaves_a_log_under_its_key(bank, trial, tmp_path) -> None:
    outcome = Worker({bank.digest: str(bank.path)}, tmp_path, gpu_share=0).run_logged(trial)
    assert isinstance(outcome, TrialResult)
    first, last = (tmp_path / "logs" / f"{trial.key}.log").read_text().splitlines()
    assert "started on" in first
    assert trial.method in first
    assert last.endswith(f"finished: accuracy {outcome.mean('accuracy'):.4f}")


def test_a_failure_is_an_outcome_with_its_traceback_in_the_log(bank, trial, tmp_path) -> None:
    trial = replace(trial, parameters={**trial.parameters, "learning_rate": 1e30})
    outcome = Worker({bank.digest: str(bank.path)}, tmp_path, gpu_share=0).run_logged(trial)
    assert isinstance(outcome, TrialFailure)
    assert "FloatingPointError: the training loss is nan" in outcome.error
    assert outcome.traceback in (tmp_path / "logs" / f"{trial.key}.log").read_text()
    assert outcome.cause.startswith("FloatingPointError File ")


def test_a_bank_that_cannot_be_opened_is_no_trials_fault(bank, trial, tmp_path) -> None:
    with pytest.raises(BankError, match="no such feature bank"):
        Worker({trial.bank: str(tmp_path / "gone")}, tmp_path, gpu_share=0).run(trial)
    with pytest.raises(BankError, match="changed since the sweep was planned"):
        Worker({"another": str(bank.path)}, tmp_path, gpu_share=0).open()


def test_a_bank_that_is_written_over_gives_no_result_and_no_similarity(bank, trial, tmp_path) -> None:
    copy = tmp_path / "bank"
    shutil.copytree(bank.path, copy)
    worker = Worker({bank.digest: str(copy)}, tmp_path, gpu_share=0)
    worker.open()
    clips = (copy / "clips.arrow").read_bytes()
    (copy / "clips.arrow").write_bytes(clips[:-100] + bytes(100))
    with pytest.raises(BankError, match="changed while it was in use"):
        worker.run(trial)
    assert not list(tmp_path.rglob("*.npy"))


def test_a_bank_that_is_moved_away_stays_readable(bank, trial, tmp_path) -> None:
    copy = tmp_path / "bank"
    shutil.copytree(bank.path, copy)
    worker = Worker({bank.digest: str(copy)}, tmp_path, gpu_share=0)
    worker.open()
    copy.rename(tmp_path / "elsewhere")
    assert isinstance(worker.run(trial), TrialResult)


def test_a_log_that_cannot_be_kept_costs_no_trial(bank, trial, tmp_path) -> None:
    (tmp_path / "logs").write_text("in the way")
    assert isinstance(Worker({bank.digest: str(bank.path)}, tmp_path, gpu_share=0).run_logged(trial), TrialResult)


@pytest.mark.parametrize(("share", "fraction"), [(0.25, 0.25), (2.0, 1.0)])
def test_a_share_of_a_gpu_is_a_share_of_its_memory(trial, tmp_path, monkeypatch, share: float, fraction: float) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", asked.append)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append("emptied"))
    worker = Worker({trial.bank: str(tmp_path / "gone")}, tmp_path, gpu_share=share)
    assert worker._device == "cuda"
    with pytest.raises(BankError):
        worker.run(trial)
    assert asked == [fraction, "emptied"]


def test_shards_at_an_address_give_the_results_of_shards_and_of_one_file(tmp_path, monkeypatch) -> None:
    """To the bit; the similarities' order and the rows' files are no part of a trial."""
    monkeypatch.setenv("MGCL_NODE_DIR", str(tmp_path / "node"))
    sizes = {"classes": 3, "clips": 9, "segments": 3, "d": 8}
    shards = write_generated_shards(tmp_path / "shards", shards=4, **sizes)
    names = ("clip_id", "label", "caption", "source")
    vectors = {name: np.asarray(shards.column(name)) for name in ("clip", "caption", "segments")}
    one = write_bank(
        tmp_path / "one",
        shards.header,
        {
            **{name: shards.clips[name].to_pylist() for name in names},
            "clip_embedding": vectors["clip"],
            "caption_embedding": vectors["caption"],
            "segment_embeddings": vectors["segments"],
        },
        {
            **{name: shards.classes[name].to_pylist() for name in ("label", "prompt", "explanations")},
            "prompt_embedding": shards.prompt_embeddings,
            "explanation_embeddings": shards.explanation_embeddings,
        },
    )
    asked = cases.sweep("s", ("full",), ways=(2,), shots=(1,), queries=5, episodes=2)
    found = [
        Worker({bank.digest: location}, tmp_path / "home", gpu_share=0).run(plan(asked, bank)[0].trial)
        for bank, location in ((one, str(one.path)), (shards, str(shards.path)), (shards, shards.path.as_uri()))
    ]
    assert len({each.key for each in found}) == 2
    assert found[0].confusions == found[1].confusions == found[2].confusions
    assert found[0].explained.parts == found[1].explained.parts == found[2].explained.parts
