"""A sweep around its trials: what Ray, the queue and the record add, and what planning takes."""

import importlib.util
import platform
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from mgcl.cluster import workers as schedule
from mgcl.cluster.connect import cluster
from mgcl.cluster.machines import Machines
from mgcl.features import FeatureBank
from mgcl.home import home
from mgcl.progress import Bar
from mgcl.records import PlannedTrial, TrialResult
from mgcl.sweep.estimates import Pace
from mgcl.sweep.grid import plan
from mgcl.sweep.recorder import Recorder
from mgcl.sweep.trial import run_trial, similarity_store
from mgcl.sweep.worker import Worker
from mgcl.tracking.record import Tracking
from tests import cases
from tests.generated_bank import write_generated_bank

ROOT = Path(__file__).parents[2]
WORKERS = 2
TRIALS = 300
QUICK_TRIALS = 1000


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> FeatureBank:
    return write_generated_bank(tmp_path_factory.mktemp("bank") / "generated", segments=16, d=384)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Tracking:
    monkeypatch.setenv("MGCL_HOME", str(tmp_path))
    return Tracking.open("benchmark", f"sqlite:///{tmp_path / 'mlflow.db'}")


class Run:
    """A sweep on two workers, in a thread: its first result, and its last."""

    def __init__(self, cells: Sequence[PlannedTrial], bank: FeatureBank, store: Tracking) -> None:
        self._cells, self._bank, self._store = cells, bank, store
        self._left = len(cells)
        self.first, self.last = threading.Event(), threading.Event()
        self.memory: list[int] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        pace = Pace([cell.trial for cell in self._cells], (), {cell.trial.key for cell in self._cells})
        recorder = Recorder(self._cells, self._store, [self._bank], Bar(disable=True), pace)

        def take(outcome) -> None:
            recorder.receive(outcome)
            assert isinstance(outcome, TrialResult), outcome
            self._left -= 1
            self.memory.append(psutil.Process().memory_info().rss)
            self.first.set()
            if not self._left:
                self.last.set()

        with cluster(Machines(actors=WORKERS), cpus=WORKERS, dashboard=True) as there:
            worker = Worker({self._bank.digest: str(self._bank.path)}, home(), there.gpus_per_slot)
            trials = [cell.trial for cell in self._cells]
            schedule.run_on_workers(trials, worker, there, take, recorder.report)

    def end(self) -> None:
        self.last.wait()
        self._thread.join()


def seeds(bank: FeatureBank, count: int, **changes) -> tuple[PlannedTrial, ...]:
    sweep = cases.sweep(
        "benchmark", ("full",), ways=(10,), shots=(1,), queries=15, episodes=5, seeds=tuple(range(count))
    )
    return plan(cases.changed_sweep(sweep, **changes), bank)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("which", ["half before", "mgcl", "half after"])
def test_sweep(benchmark, which, generated, store, tmp_path) -> None:
    # The machine's pace drifts by a quarter within minutes: one process does half of the trials on either side.
    cells = seeds(generated, TRIALS)
    similarities = similarity_store(generated, root=tmp_path / "similarity" / platform.node())
    seconds = [run_trial(cell.trial, generated, similarities=similarities).seconds for cell in cells[:3]][-1]
    benchmark.group = f"{TRIALS} trials of half a second or more, from the first result to the last"
    benchmark.extra_info.update(scale=1, facts={"trial": f"takes {seconds:.1f} s by itself"})
    if which == "mgcl":
        benchmark.name = f"mgcl: Ray, {WORKERS} workers, MLflow"
        runs: list[Run] = []

        def start() -> None:
            runs.append(Run(cells, generated, store))
            runs[-1].first.wait()

        benchmark.pedantic(lambda: runs[-1].last.wait(), setup=start, rounds=1)
        runs[-1].end()
        assert len(store.runs()) == TRIALS
    else:
        benchmark.name = f"run_trial in one process, {which.replace('half', 'half of the trials,')}"
        todo = [cell.trial for cell in cells[1::WORKERS]]
        benchmark.pedantic(lambda: [run_trial(each, generated, similarities=similarities) for each in todo], rounds=1)


def work_at_once(config, queue, like: TrialResult, **_) -> None:
    """In the worker: results as large as a trial of 100 episodes gives, and no work."""
    ray, outcome = schedule.ray, None
    while trial := ray.get(queue.take.remote(config["worker"], platform.node(), outcome)):
        scores = {"accuracy": like.scores["accuracy"][:1] * 100}
        outcome = replace(like, key=trial.key, scores=scores, confusions=like.confusions[:1] * 100)
    schedule.tune.report({"trials": 0})


@pytest.mark.timeout(1800)
def test_overhead(benchmark, generated, store, monkeypatch) -> None:
    cells = seeds(generated, QUICK_TRIALS, episodes=100)
    like = run_trial(seeds(generated, 1)[0].trial, generated)
    monkeypatch.setattr(schedule, "_work", partial(work_at_once, like=like))
    benchmark.group = f"one trial's share of Ray, queue and record, over {QUICK_TRIALS:,} that end at once"
    benchmark.name = "mgcl: 10-way, 100 episodes"
    runs: list[Run] = []

    def start() -> None:
        runs.append(Run(cells, generated, store))
        runs[-1].first.wait()

    benchmark.extra_info["scale"] = 1 / (QUICK_TRIALS - 1)
    benchmark.pedantic(lambda: runs[-1].last.wait(), setup=start, rounds=1)
    runs[-1].end()
    grown = (runs[-1].memory[-1] - runs[-1].memory[0]) / QUICK_TRIALS / 1000
    benchmark.extra_info["facts"] = {"memory": f"of the driver grows by {grown:.0f} kB a trial"}


def test_plan(timed, generated) -> None:
    file = ROOT / "sweeps" / "full_grid.py"
    spec = importlib.util.spec_from_file_location("full_grid", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    grid = replace(
        module.SWEEP, ways=(2, 5), shots=(1, 5), folds=5, fold_classes=10, queries=5, seeds=tuple(range(20)),
        variants=tuple(name for name in module.SWEEP.variants if name != "mel-statistics"),
    )  # fmt: skip
    count = len(plan(grid, generated))
    timed(f"planning {count:,} trials", "mgcl", lambda: plan(grid, generated))
