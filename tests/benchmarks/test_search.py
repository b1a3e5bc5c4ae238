"""A study with and without early stopping: what it costs, and what it finds."""

import pytest

from mgcl.cluster.connect import cluster
from mgcl.cluster.machines import Machines
from mgcl.search.questions import questions
from mgcl.search.schedule import run_points
from mgcl.search.study import best, complete, ended, figure_of, open_study
from tests import cases
from tests.generated_bank import write_generated_bank

POINTS = 40


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return write_generated_bank(tmp_path_factory.mktemp("bank") / "generated")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stopping", [True, False])
def test_stopping(benchmark, stopping, generated, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path))
    search = cases.search("benchmark", batches=5, stopping=stopping)
    (question,) = questions(search, generated)
    banks = {generated.digest: str(generated.path)}
    benchmark.group = f"a study of {POINTS} points on one worker, five batches of ten episodes each"
    benchmark.name = "mgcl: bad points end early" if stopping else "every point runs to its end"
    with (
        cluster(Machines(actors=1), cpus=1) as there,
        open_study(question, f"sqlite:///{tmp_path / 'studies.db'}") as study,
    ):
        run_points(study, question, 1, banks, there)  # the worker's start is no part of it
        benchmark.pedantic(lambda: run_points(study, question, POINTS, banks, there), rounds=1)
        points = f"{len(complete(study))} of {len(ended(study))} points complete"
        found = f"{100 * figure_of(best(study)):.2f} % at best, {points}"
    benchmark.extra_info.update(scale=1, facts={"it": f"found {found}"})
