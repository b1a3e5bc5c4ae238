"""A trial that takes its worker down each time counts as failed after its attempts; the others finish."""

import json
import subprocess
import sys

from tests.integration.conftest import ROOT, Place

SCRIPT = """
import json, os, sys
import ray
from mgcl.cluster import cluster
from mgcl.records import Fold, Trial, TrialFailure
from mgcl.sweep import schedule

def run_or_die(config, trials, **_):
    if trials[config["key"]].seed == 1:
        os._exit(1)
    schedule.tune.report({"outcome": TrialFailure(config["key"], "alive")})

schedule._run_one = run_or_die
fold = Fold("all", 0, ("a", "b"))
trials = [Trial("b", "d", fold, 2, 1, 1, 1, seed, "clip", 1, "mgcl", 1, {}) for seed in range(4)]
seen = {}
with cluster(None, 1):
    take = lambda outcome: seen.setdefault(outcome.key, outcome.error)
    schedule.run_trials(trials, sys.argv[1], take, workers=1, gpus_per_trial=0)
print(json.dumps([seen[trial.key] for trial in trials]))
"""


def test_it_fails_alone(place: Place) -> None:
    script = place.folder / "die.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(place.folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["alive", "its worker died 3 times", "alive", "alive"]
