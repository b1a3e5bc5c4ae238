"""A trial, from the bank on disk to its accuracy, beside the naive pipeline."""

import pytest
import torch

from mgcl.data._episodes import pool
from mgcl.features import FeatureBank
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial, setup_of, similarity_store
from mgcl.tasks import _few_shot_episodes as pipeline
from mgcl.tasks import few_shot
from tests import cases
from tests.benchmarks import naive
from tests.generated_bank import write_generated_bank

QUERIES = 30
# Bank, way, shot, episodes: the paper's extremes as far as the bank has classes.
CASES = [("real", 5, 1, 20), ("real", 10, 10, 20), ("generated", 12, 10, 4)]


def open_bank(name: str, request) -> FeatureBank:
    if name == "real":
        return request.getfixturevalue("real_bank")
    path = request.getfixturevalue("tmp_path_factory").mktemp("bank") / "wide"
    return write_generated_bank(path, segments=16, d=1024)


@pytest.mark.parametrize(("name", "way", "shot", "episodes"), CASES)
@pytest.mark.parametrize("which", ["mgcl", "naive"])
def test_trial(timed, which, name, way, shot, episodes, device, request) -> None:
    bank = open_bank(name, request)
    sweep = cases.sweep("benchmark", ("full",), ways=(way,), shots=(shot,), queries=QUERIES, episodes=episodes)
    trial = plan(sweep, bank)[0].trial
    cell = f"{way}-way {shot}-shot, {QUERIES} queries a class"
    group = f"a trial: {episodes} episodes, {cell}, {name} bank, d = {bank.header.embedding_dim}"
    if which == "mgcl":
        timed(group, f"mgcl {device}, with an empty store", lambda: run_trial(trial, bank, device=device))
        return
    if device != "cpu":
        return
    pytest.importorskip("ot")
    setup = setup_of(trial, few_shot, bank, "cpu", similarity_store(bank))
    episode = pipeline._draw(setup, pool(bank.clip_records), 0)
    support, query = pipeline._support(setup, [episode]), pipeline._clips(setup, [episode.query])
    support, query = unstacked(support), one(query)
    answers = naive.episode(support, query).argmax(-1).view(way, -1)
    correct = (answers == torch.arange(way)[:, None]).sum().item()
    ours = run_trial(trial, bank).confusions[0].correct
    assert abs(correct - ours) <= 1, f"the naive pipeline recognises {correct} clips, mgcl {ours}"
    timed(group, "naive: a loop of POT sinkhorn, torch; no store; concatenate and multiply",
          lambda: naive.episode(support, query), scale=episodes, extrapolated="from one episode")  # fmt: skip


def one(clips: pipeline.ClipFeatures) -> pipeline.ClipFeatures:
    return pipeline.ClipFeatures(clips.segments[0], clips.clip[0], clips.caption[0])


def unstacked(support: pipeline.Support) -> pipeline.Support:
    return pipeline.Support(
        one(support.clips), support.labels, support.prompts[0], support.explanations[0],
        support.logit_scale, support.seeds[0],
    )  # fmt: skip
