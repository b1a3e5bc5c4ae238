"""An episode of a method that is solved in closed form, fit and predict with a warm store, beside ``full``'s."""

import pytest

from mgcl.catalogue import load
from mgcl.data._episodes import pool
from mgcl.methods.variants import VARIANTS
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import setup_of, similarity_store
from mgcl.tasks import _few_shot_episodes as pipeline
from mgcl.tasks import few_shot
from tests import cases

WAY, SHOT, QUERIES = 10, 5, 15


@pytest.mark.parametrize("name", ["full", "multi-grained-kernel", "proker", "ridge", "gda", "cross-modal-probe", "knn"])
def test_episode(timed, name, real_bank, device) -> None:
    sweep = cases.sweep("benchmark", (name,), ways=(WAY,), shots=(SHOT,), queries=QUERIES, episodes=1)
    trial = plan(sweep, real_bank)[0].trial
    setup = setup_of(trial, few_shot, real_bank, device, similarity_store(real_bank, device=device))
    episode = pipeline._draw(setup, pool(real_bank.clip_records), 0)
    support, query = pipeline._support(setup, [episode]), pipeline._clips(setup, [episode.query])
    method = load("method", VARIANTS[name].method)

    def fit_and_predict() -> None:
        method.predict(method.fit(support, setup.parameters), query)

    fit_and_predict()  # fills the store
    group = f"an episode: {WAY}-way {SHOT}-shot, {QUERIES} queries a class, fit and predict, warm store"
    timed(group, f"{name}, {device}", fit_and_predict)
