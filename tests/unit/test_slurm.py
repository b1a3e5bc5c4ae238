"""sweeps/slurm.sbatch with stand-ins for Ray and SLURM: what it refuses, what it runs, and when it is requeued."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RAY = """#!/bin/bash
echo "ray $*" >> "$CALLS"
[ -n "$BROKEN" ] && echo "no room" && exit 1
for word in "$@"; do [[ $word == --temp-dir=* ]] && folder=${word#*=}; done
mkdir -p "$folder" && echo 10.0.0.1:7 > "$folder/ray_current_cluster"
"""
SCONTROL = """#!/bin/bash
echo "scontrol $*" >> "$CALLS"
[ "$1" = show ] && tr , '\\n' <<< "$3"
true
"""
# Ends as mgcl's commands do: with 130 after SIGTERM.
COMMAND = "trap 'echo saved; exit 130' TERM; echo at work \"$@\"; sleep 60 &> /dev/null & wait"


@pytest.fixture
def job(tmp_path: Path):
    """Starts the file as SLURM would, in an empty folder."""
    (tmp_path / "bin").mkdir()
    for name, text in (("ray", RAY), ("scontrol", SCONTROL)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    started = []

    def start(*words: str, **environment: str) -> subprocess.Popen[str]:
        slurm = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NODELIST": "a", "SLURM_CPUS_ON_NODE": "2"}
        places = {
            "PATH": f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CALLS": str(tmp_path / "calls"),
        }
        home = {"MGCL_HOME": "home"}
        process = subprocess.Popen(
            ["bash", str(ROOT / "sweeps" / "slurm.sbatch"), *words],
            cwd=tmp_path,
            env={**os.environ, **slurm, **places, **home, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def interrupted(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """What a job prints whose batch shell gets a signal while its command works."""
    line = process.stdout.readline()
    assert line == "at work --address 10.0.0.1:7\n", line + process.stdout.read()
    process.send_signal(number)
    return process.communicate(timeout=60)[0]


def test_the_command_runs_beside_its_own_ray(job, tmp_path) -> None:
    process = job("bash", "-c", 'echo "$@"; exit 1', "bash", "two words", SLURM_GPUS_ON_NODE="4")
    assert process.communicate(timeout=60)[0] == "two words --address 10.0.0.1:7\n"
    assert process.returncode == 1
    ray = calls(tmp_path)[0]
    assert "--num-cpus=2 --num-gpus=4 " in ray
    (folder,) = [word.partition("=")[2] for word in ray.split() if word.startswith("--temp-dir=")]
    assert len(folder) < 40, "Ray's sockets have room"
    assert not Path(folder).parent.exists()
    assert (tmp_path / "home" / "logs").is_dir()


def test_near_the_limit_the_command_ends_and_the_job_is_requeued(job, tmp_path) -> None:
    said = interrupted(job("bash", "-c", COMMAND, "bash"), signal.SIGUSR1)
    assert said.startswith("saved\nthe time limit is near")
    assert calls(tmp_path)[-1] == f"scontrol requeue {os.getpid()}"


def test_a_job_that_was_requeued_often_enough_ends(job, tmp_path) -> None:
    process = job("bash", "-c", COMMAND, "bash", SLURM_RESTART_COUNT="3", MGCL_REQUEUES="3")
    assert "queued again 3 times and not done" in interrupted(process, signal.SIGUSR1)
    assert process.returncode == 2
    assert not any("requeue" in call for call in calls(tmp_path))


def test_a_cancelled_job_is_not_requeued(job, tmp_path) -> None:
    process = job("bash", "-c", COMMAND, "bash")
    assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGTERM)  # as SLURM does: to all processes of the step
    said = process.communicate(timeout=60)[0]
    assert "saved" in said and process.returncode == 130
    assert not any("requeue" in call for call in calls(tmp_path))


def test_a_task_of_an_array_runs_its_line(job, tmp_path) -> None:
    (tmp_path / "sweeps.txt").write_text('false\nbash -c \'echo "$@"\' bash --bank "a b"\n')
    assert job("sweeps.txt", SLURM_ARRAY_TASK_ID="2").communicate(timeout=60)[0] == "--bank a b --address 10.0.0.1:7\n"


@pytest.mark.parametrize(
    "words, environment, fault",
    [
        (("true",), {"SLURM_JOB_ID": ""}, "submit this file: sbatch"),
        ((), {}, "no command: sbatch"),
        (("true", "--address=auto"), {}, "leave --address=auto out"),
        (("true", "--local"), {}, "leave --local out"),
        (("true",), {"SLURM_ARRAY_TASK_ID": "1"}, "an array takes a file with one command per line"),
        (("lines",), {"SLURM_ARRAY_TASK_ID": "2"}, "lines: line 2 has no command; submit with --array=1-N"),
        (("true",), {"PATH": "/usr/bin:/bin"}, "there is no command ray: activate the environment"),
        (("true",), {"BROKEN": "1"}, "no room; all it printed is in "),
        (("true",), {"MGCL_HOME": "lines"}, "lines: set MGCL_HOME to a folder that all nodes share"),
    ],
)
def test_it_refuses(job, tmp_path, words, environment, fault) -> None:
    (tmp_path / "lines").write_text("true\n")
    process = job(*words, **environment)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 2, said
    assert said.splitlines()[-1].startswith("error: ") and fault in said


def test_every_option_is_one_of_sbatch() -> None:
    """No SLURM is here to say so; these are in sbatch's manual of version 24.05."""
    lines = (ROOT / "sweeps" / "slurm.sbatch").read_text().splitlines()
    given = {line.split()[1].partition("=")[0] for line in lines if line.startswith("#SBATCH ")}
    assert given == {
        "--job-name", "--ntasks-per-node", "--cpus-per-task", "--time", "--signal", "--requeue", "--no-kill",
        "--open-mode", "--output",
    }  # fmt: skip
    assert next(i for i, line in enumerate(lines) if line.startswith("#SBATCH")) < next(
        i for i, line in enumerate(lines) if line and not line.startswith("#")
    ), "sbatch reads no option after the first command"
