"""An extraction that loses an actor, or its driver, ends with the same bytes as one left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl.backbones import tiny
from mgcl.data import folder
from mgcl.extraction.extract import extract
from mgcl.extraction.texts import Texts
from mgcl.language.explanations import from_templates
from tests.conftest import SharedCluster

MGCL = str(Path(sys.executable).with_name("mgcl"))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Four hundred clips of noise."""
    root, random = tmp_path_factory.mktemp("data") / "noises", np.random.default_rng(0)
    for each in ("a", "b", "c", "d"):
        (root / each).mkdir(parents=True)
        for number in range(100):
            soundfile.write(root / each / f"{number}.wav", random.uniform(-0.5, 0.5, 8000), 16000)
    return root


def words(root: Path, out: Path, there: SharedCluster) -> list[str]:
    asked = ["extract", "--dataset", "folder", "--root", str(root), "--out", str(out), "--explanations", "templates"]
    return [*asked, "--actors", "1", "--decode-workers", "1", *there.joined]


def start(root: Path, out: Path, there: SharedCluster) -> "subprocess.Popen[str]":
    return subprocess.Popen([MGCL, *words(root, out, there)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished_shards(out: Path) -> list[Path]:
    return sorted(out.parent.glob(f".{out.name}-*/clips-*.safetensors"))


def wait_for_a_shard(process: "subprocess.Popen[str]", out: Path) -> None:
    while not finished_shards(out):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def contents(bank: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(bank.iterdir()) if file.name != "hashes.json"}


@pytest.fixture(scope="module")
def undisturbed(root, tmp_path_factory) -> dict[str, bytes]:
    """What one process makes."""
    out, dataset, backbone = tmp_path_factory.mktemp("banks") / "bank", folder.read(root), tiny.load()
    extract(dataset, backbone, out, texts=Texts.of(dataset, backbone, classes=from_templates(dataset.classes)))
    assert sorted(each.name for each in out.parent.iterdir()) == ["bank"], "working files were left behind"
    return contents(out)


def test_an_actor_is_killed(root, undisturbed, tmp_path, shared_cluster) -> None:
    out = tmp_path / "bank"
    process = start(root, out, shared_cluster)
    wait_for_a_shard(process, out)
    (actor,) = shared_cluster.workers("_Actor")
    actor.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert contents(out) == undisturbed


def test_the_driver_is_killed(root, undisturbed, tmp_path, shared_cluster) -> None:
    out = tmp_path / "bank"
    process = start(root, out, shared_cluster)
    wait_for_a_shard(process, out)
    process.kill()
    process.communicate(timeout=60)
    assert not out.exists()
    kept = {file.name: file.stat().st_mtime_ns for file in finished_shards(out)}
    assert len(kept) in (1, 2)
    again = start(root, out, shared_cluster)
    working = finished_shards(out)[0].parent
    seen = dict(kept)
    while again.poll() is None:
        for file in working.glob("clips-*.safetensors"):
            try:
                seen[file.name] = file.stat().st_mtime_ns
            except FileNotFoundError:  # the bank is written, and the folder is going
                break
        time.sleep(0.01)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    assert {name: seen[name] for name in kept} == kept, "a finished shard was embedded again"
    assert contents(out) == undisturbed


PINNED = """
import json, os, sys
from contextlib import nullcontext
import ray
from pathlib import Path
from mgcl.backbones import tiny
from mgcl.backbones.backbone import facts
from mgcl.cluster.connect import Cluster
from mgcl.cluster.machines import Machines
from mgcl.extraction import actors
from mgcl.extraction.plan import Shard
from mgcl.extraction.workbench import Workbench

ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)

class Spy:
    def __init__(self, *_):
        pass
    def about(self):
        return facts(tiny.load())
    def finish(self, bench):
        (shard,) = bench.shards
        with open(bench.folder / shard.name, "w") as file:
            json.dump([os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"]], file)

there = Cluster(None, slots=4, gpus_per_slot=0.5, session=None)
actors._Actor, actors.cluster = Spy, lambda *_, **__: nullcontext(there)
machines = Machines(gpus_per_actor=0.5)
shards = tuple(Shard(f"clips-{i}", sentences=("a",)) for i in range(16))
with actors.start_actors("tiny", None, machines, cpus=1) as started:
    print(len(started.actors))
    for _ in started.run(Workbench(Path(sys.argv[1]), shards)):
        pass
"""


def test_actors_share_gpus_and_each_sees_only_its_own(tmp_path) -> None:
    script, work = tmp_path / "pinned.py", tmp_path / "work"
    script.write_text(PINNED)
    work.mkdir()
    command = [sys.executable, str(script), str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["4"]
    seen = {tuple(json.loads(file.read_text())) for file in work.iterdir()}
    assert len(seen) == 4, "four actors, each on one device for good"
    assert sorted(device for _, device in seen) == ["0", "0", "1", "1"]
