"""sweeps/slurm.sbatch with real Ray on two machines of namespaces: requeued at its limit, then a node dies.

SLURM is a stand-in: `srun` starts processes in a machine's namespaces, and the job's first shell runs in the first one.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.integration.conftest import ROOT, SLOW, Place, wait_until
from tests.integration.namespaces import ip, link, machine

# Names and addresses are this process's own: several may run this test at once.
PID = os.getpid()
BRIDGE, FIRST, SECOND = f"mgcl-{PID}", f"a-{PID}", f"b-{PID}"
SUBNET = f"10.{64 + PID % 64}.{PID // 64 % 250}"
GATEWAY, NODES = f"{SUBNET}.1", {FIRST: f"{SUBNET}.11", SECOND: f"{SUBNET}.12"}
SRUN = """#!/usr/bin/env python
import os, pathlib, signal, subprocess, sys
flags = [word for word in sys.argv[1:] if word.startswith("--")]
node = next(flag.partition("=")[2] for flag in flags if flag.startswith("--nodelist="))
first = (pathlib.Path(__file__).parent / node).read_text()
enter = ["nsenter", "-n", "-m", "-u", "-p", "-t", first, "--wd=" + os.getcwd()]
step = subprocess.Popen([*enter, *sys.argv[1 + len(flags):]])
signal.signal(signal.SIGTERM, lambda *_: subprocess.run(["pkill", "-TERM", "-P", str(step.pid)]))
sys.exit(step.wait())
"""
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then tr , '\\n' <<< "$3"; else touch "$(dirname "$0")/requeued"; fi
"""


@dataclass(frozen=True)
class Slurm:
    """The stand-in's commands, and the first processes of its nodes. The first node has our processes and folders."""

    folder: Path
    nodes: dict[str, subprocess.Popen[str]]

    def __post_init__(self) -> None:
        for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        for name, first in self.nodes.items():
            (init,) = psutil.Process(first.pid).children()
            (self.folder / name).write_text(str(init.pid))

    def start(self, place: Place, command: list[str], restarts: int) -> subprocess.Popen[str]:
        """The job's first shell, on its first node; SLURM runs a copy of the file."""
        script = shutil.copy(ROOT / "sweeps" / "slurm.sbatch", self.folder / "script")
        path = f"{self.folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        slurm = {"JOB_ID": str(PID), "JOB_NODELIST": ",".join(NODES), "CPUS_ON_NODE": "1"}
        slurm |= {"RESTART_COUNT": str(restarts)}
        first = (self.folder / FIRST).read_text()
        place_ = {"MGCL_HOME": str(place.folder / "home"), "PYTHONPATH": str(ROOT), "PATH": path}
        process = subprocess.Popen(
            ["nsenter", "-n", "-u", "-t", first, "bash", script, *command],
            cwd=place.folder,
            env={**os.environ, **place_, **{f"SLURM_{name}": value for name, value in slurm.items()}},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        place.started.append(process)
        return process


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    if os.geteuid() or not shutil.which("ip") or not shutil.which("nsenter"):
        pytest.skip("network namespaces need root, iproute2 and nsenter")
    folders = [Path(f"/tmp/mgcl-{PID}-{restarts}") for restarts in range(2)]  # noqa: S108
    prepare = "\n".join(f"mkdir -p {each} && mount -t tmpfs tmpfs {each}" for each in folders)  # a node's own disk
    (tmp_path / "slurm").mkdir()
    with ExitStack() as stack:
        try:
            stack.enter_context(link(BRIDGE, "type", "bridge"))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr}")
        ip("address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        nodes = {
            name: stack.enter_context(
                machine(
                    name, address, bridge=BRIDGE, gateway=GATEWAY, prepare=prepare, command="sleep infinity",
                    log=tmp_path / f"{name}.log",
                )
            )
            for name, address in NODES.items()
        }  # fmt: skip
        yield Slurm(tmp_path / "slurm", nodes)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def started_on(place: Place, node: str) -> int:
    """How many trials a node has begun."""
    logs = (place.folder / "home" / "logs").glob("*.log")
    return sum(log.read_text().count(f"started on {node},") for log in logs)


@pytest.mark.timeout(1500)
def test_a_job_is_requeued_and_outlives_a_node(slurm: Slurm, place: Place) -> None:
    command = place.command(*SLOW)
    job = slurm.start(place, command, restarts=0)
    wait_until(place.complete_runs, job)
    job.send_signal(signal.SIGUSR1)
    said = job.communicate(timeout=120)[0]
    assert job.returncode == 130 and (slurm.folder / "requeued").exists(), said
    assert "2 of 2 nodes run Ray" in said
    done, before = place.complete_runs(), started_on(place, SECOND)
    assert 0 < done < 12, said

    job = slurm.start(place, command, restarts=1)
    wait_until(lambda: started_on(place, SECOND) > before, job)
    slurm.nodes[SECOND].kill()
    said = job.communicate(timeout=300)[0]
    assert job.returncode == 0, said
    assert f"12 trials, {done} recorded, {12 - done} to run" in said
    assert "12 finished, 0 failed, 0 missing" in said
