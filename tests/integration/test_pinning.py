"""Trials pinned to shares of a GPU: fake devices, real Ray, the worker's own view of its device."""

import json
import os
import subprocess
import sys

from tests.integration.conftest import ROOT, Place

SCRIPT = """
import json, os, pathlib, sys, time
import ray
from mgcl.cluster.connect import Cluster
from mgcl.records import TrialFailure
from mgcl.cluster import workers
from mgcl.sweep.worker import Worker
from tests import cases

folder = pathlib.Path(sys.argv[1])

def look(self, trial):
    started = time.time()
    slots = int(2 / self.gpu_share)
    (self.home / f"{os.getpid()}.came").touch()
    while len(list(self.home.glob("*.came"))) < slots:  # a slow start leaves no worker without a trial
        time.sleep(0.1)
    time.sleep(1)
    devices, ids = os.environ["CUDA_VISIBLE_DEVICES"], ray.get_gpu_ids()
    spent = {"start": started, "end": time.time()}
    seen = {"pid": os.getpid(), "devices": devices, "ids": ids, "share": self.gpu_share, **spent}
    return TrialFailure(trial.key, json.dumps(seen))

def work(config, queue, **rest):
    Worker.open = lambda self: None
    Worker.run_logged = look
    original(config, queue, **rest)

original, workers._work = workers._work, work
trials = [cases.trial(seed=seed) for seed in range(16)]
ray.init(address="local", num_cpus=8, num_gpus=2, include_dashboard=False, log_to_driver=False)
for share in (0.5, 1.0):
    seen, home = [], folder / str(share)
    home.mkdir()
    take = lambda outcome: seen.append(json.loads(outcome.error))
    there = Cluster(None, int(2 / share), gpus_per_slot=share, session=folder)
    workers.run_on_workers(trials, Worker({}, home, share), there, take, lambda *_: None)
    print(json.dumps(seen))
"""


def test_never_more_trials_on_a_device_than_its_shares(place: Place) -> None:
    script = place.folder / "pin.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(place.folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # laion-clap installs a package `tests` too
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    halves, wholes = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    check(halves, share=0.5, at_once=2)
    check(wholes, share=1.0, at_once=1)


def check(seen: list[dict], *, share: float, at_once: int) -> None:
    assert len(seen) == 16
    assert {each["share"] for each in seen} == {share}
    assert len({each["pid"] for each in seen}) == 2 * at_once, "every worker stays in its process"
    assert {each["devices"] for each in seen} <= {"0", "1"}
    assert all(each["devices"] == ",".join(map(str, each["ids"])) for each in seen)
    for device in "01":
        spans = [(each["start"], each["end"]) for each in seen if each["devices"] == device]
        busiest = max((sum(start <= moment < end for start, end in spans) for moment, _ in spans), default=0)
        assert busiest <= at_once
