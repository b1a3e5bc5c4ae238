"""Workers that die: a trial that takes its worker down each time fails alone; a node that cannot work is said so."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import SharedCluster
from tests.integration.conftest import ROOT, Place

SCRIPT = """
import json, os, pathlib, sys
from mgcl.cluster.connect import cluster
from mgcl.errors import ClusterError
from mgcl.cluster.machines import Machines
from mgcl.records import TrialFailure
from mgcl.cluster import workers
from mgcl.sweep.worker import Worker
from tests import cases

def run_or_die(self, trial):
    if trial.cell.seed == 1:
        os._exit(1)
    return TrialFailure(trial.key, "alive")

def work(config, queue, **rest):
    if when == "at once":
        os._exit(1)
    Worker.open = lambda self: None
    Worker.run_logged = run_or_die
    original(config, queue, **rest)

when = sys.argv[2]
original, workers._work = workers._work, work
trials = [cases.trial(seed=seed) for seed in range(4)]
seen = {}
try:
    with cluster(Machines(sys.argv[3], actors=1), cpus=1) as there:
        take = lambda outcome: seen.setdefault(outcome.key, outcome.error)
        worker = Worker({}, pathlib.Path(sys.argv[1]), 0.0)
        workers.run_on_workers(trials, worker, there, take, lambda *_: None)
except ClusterError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
print(json.dumps([seen[trial.key] for trial in trials]))
"""


@pytest.fixture
def run(place: Place, shared_cluster: SharedCluster):
    script = place.folder / "die.py"
    script.write_text(SCRIPT)

    def run(when: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), str(place.folder), when, shared_cluster.address]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # laion-clap installs a package `tests` too
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    return run


def test_a_deadly_trial_fails_alone(run) -> None:
    done = run("in a trial")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["alive", "its worker died 3 times", "alive", "alive"]


def test_workers_that_die_before_any_trial_stop_the_sweep(run) -> None:
    done = run("at once")
    assert done.returncode == 2
    assert "workers die before they take a trial: " in done.stderr
