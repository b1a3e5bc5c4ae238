"""cluster.yaml for real, without a cloud: two namespaces of this machine are a head and a worker, reached over ssh.

    sudo .venv/bin/python tests/integration/cluster_drill.py

Needs root, Linux, a commit to install, and git, openssh-server, rsync, iproute2 and curl. Each machine has its own
address, process table, home and /tmp/ray; /mnt/mgcl is one folder of both; there is no GPU. Replaced in
cluster.yaml are the block between the marks and the installation (the environment that runs this is linked instead);
every other line is the one that runs in a cloud. It brings the cluster up, runs a sweep, kills the shell that submitted
another, looks at MLflow through a tunnel, brings the runs home and takes the cluster down: about four minutes.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

import requests
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # started as a script

from tests.integration.namespaces import link, machine  # noqa: E402

MARKS = "# >>> your cloud", "# <<< your cloud"
BRIDGE, HOST, HEAD, WORKER = "mgcl-drill", "10.77.0.1", "10.77.0.11", "10.77.0.12"
SWEEP = (
    "--bank /mnt/mgcl/banks/drill --address auto --workers 2 "
    "--ways 3 --episodes 4 --queries 5 --variants full zero-shot prototypical without-cache"
)

# Folders of a machine: its own home and /tmp/ray, the interpreter, and what all machines share.
FOLDERS = """
mount --bind {python} {folder}/python
mount --bind {folder}/home /root
mkdir -p {python} && mount --bind {folder}/python {python}  # it may lie in root's home, hidden now
mkdir -p /tmp/ray && mount --bind {folder}/ray /tmp/ray
mount -t tmpfs tmpfs /mnt && mkdir /mnt/mgcl && mount --bind {shared} /mnt/mgcl
mount -t tmpfs tmpfs /run && mkdir /run/sshd
"""
SSHD = """
HostKey {key}
AuthorizedKeysFile {key}.pub
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
"""


def marked_block(text: str) -> str:
    """The lines of cluster.yaml that are one cloud's."""
    return text.split(MARKS[0])[1].partition("\n")[2].split(MARKS[1])[0]


def local_variant(text: str, key: Path, environment: Path) -> dict[str, object]:
    """cluster.yaml for the two machines here: the marked block replaced, the installation a link to ``environment``."""
    config = yaml.safe_load(text)
    for name in yaml.safe_load(marked_block(text)):
        del config[name]
    link = f"ln -sfn {environment} ~/venv && echo 'export PYTHONPATH=$HOME/mgcl' >> ~/.bashrc"
    setup = [command for command in config["setup_commands"] if "/uv" not in command]
    return config | {
        "cluster_name": "mgcl-drill",
        "max_workers": 1,
        "provider": {"type": "local", "head_ip": HEAD, "worker_ips": [WORKER]},
        "auth": {"ssh_user": "root", "ssh_private_key": str(key)},
        "setup_commands": [*setup, link],
    }


def ssh_machine(name: str, address: str, work: Path) -> AbstractContextManager[object]:
    """A machine with an sshd."""
    folder = work / name
    for part in ("home", "ray", "python"):
        (folder / part).mkdir(parents=True)
    folders = FOLDERS.format(folder=folder, shared=work / "shared", python=sys.base_prefix)
    sshd = f'"$(command -v sshd)" -D -e -f {work / "sshd"}'
    return machine(name, address, bridge=BRIDGE, gateway=HOST, prepare=folders, command=sshd, log=folder / "log")


def run(*command: str, **options) -> str:
    """What a command prints; the drill ends where one fails."""
    started = time.monotonic()
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    said = done.stdout.replace("\r", "\n")
    if done.returncode:
        sys.exit(f"$ {' '.join(command)}\n{said}\nexit code {done.returncode}")
    if options:
        print(f"{time.monotonic() - started:6.1f} s  {' '.join(command)}", flush=True)
    return said


def listens(port: int) -> bool:
    """Whether the head lets others than itself in at a port."""
    with socket.socket() as knock:
        knock.settimeout(2)
        return knock.connect_ex((HEAD, port)) == 0


def killed_shell(command: list[str], **options) -> str:
    """Submit a sweep, kill the submitting shell and its children once trials run; the job's name."""
    shell = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, **options
    )
    assert shell.stdout is not None
    said = ""
    while " to run" not in said:
        line = shell.stdout.readline()
        assert line, said
        said += line
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
    return re.findall(r"raysubmit_\w+", said)[0]


def complete_runs(cluster: str, **options) -> int:
    """Trials that the MLflow server has, asked through `ray attach`'s tunnel."""
    shell = subprocess.Popen(
        ["ray", "attach", cluster, "-p", "5000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )
    address, question = "http://127.0.0.1:5000", {"experiment_ids": ["1"], "filter": "tags.complete = '1'"}
    for _ in range(60):
        try:
            assert "<title>MLflow</title>" in requests.get(address, timeout=10).text
            break
        except requests.ConnectionError:
            time.sleep(1)
    runs = requests.post(f"{address}/api/2.0/mlflow/runs/search", json=question, timeout=60).json()["runs"]
    shell.communicate(b"exit\n", timeout=60)
    return len(runs)


def drill(work: Path) -> None:
    """All commands of docs/cluster.md, on two machines that are up."""
    client = work / "client"
    home = {"HOME": str(client), "TMPDIR": str(client), "RAY_TMPDIR": str(client), "MGCL_HOME": str(client / "home")}
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    options = {"cwd": ROOT, "env": {**os.environ, **home, "PATH": path, "PYTHONWARNINGS": "ignore"}}
    cluster = str(work / "cluster.yaml")

    def on_head(command: str) -> str:
        return run("ray", "exec", cluster, command, **options)

    run("ray", "get-auth-token", "--generate", **options)
    run("ray", "up", "-y", cluster, **options)
    run("python", "tests/generated_bank.py", str(work / "banks" / "drill"), **options)
    run("ray", "rsync-up", cluster, f"{work}/banks/", "/mnt/mgcl/banks/", **options)

    foreground = ["ray", "submit", cluster, "sweeps/full_grid.py", "--", *SWEEP.split(), "--shots", "1"]
    assert "4 finished, 0 failed, 0 missing" in run(*foreground, **options)

    sweep = f"python ~/mgcl/sweeps/full_grid.py {SWEEP} --shots 1 2 5"
    job = killed_shell(["ray", "exec", cluster, f"ray job submit -- {sweep}"], **options)
    assert "RUNNING" in on_head(f"ray job status {job}")
    said = on_head(f"ray job logs --follow {job}")
    assert "12 finished, 0 failed, 0 missing" in said, said

    assert complete_runs(cluster, **options) == 12
    assert listens(22) and listens(6379)
    assert not listens(5000) and not listens(8265)
    assert "InvalidAuthToken" in on_head("RAY_AUTH_MODE=disabled ray status 2>&1 || true")

    run("ray", "up", "-y", "--no-restart", cluster, **options)
    run("mgcl", "sync", cluster, "--out", str(client / "reports"), **options)
    run("ray", "down", "-y", cluster, **options)
    assert not listens(6379)
    assert (client / "reports" / "full_grid" / "report.md").exists()


def main() -> None:
    if os.geteuid():
        sys.exit("network namespaces need root: sudo .venv/bin/python tests/integration/cluster_drill.py")
    if absent := [tool for tool in ("git", "sshd", "rsync", "ip", "unshare", "curl") if not shutil.which(tool)]:
        sys.exit(f"not installed: {', '.join(absent)}")
    with tempfile.TemporaryDirectory(prefix="mgcl-cluster-drill-") as folder:
        work = Path(folder)
        for part in ("shared", "client", "banks"):
            (work / part).mkdir()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(work / "key"))
        (work / "sshd").write_text(SSHD.format(key=work / "key"))
        config = local_variant((ROOT / "cluster.yaml").read_text(), work / "key", Path(sys.prefix))
        (work / "cluster.yaml").write_text(yaml.safe_dump(config))
        with link(BRIDGE, "type", "bridge"):
            run("ip", "address", "add", f"{HOST}/24", "dev", BRIDGE)
            with ssh_machine("mgcl-head", HEAD, work), ssh_machine("mgcl-worker", WORKER, work):
                drill(work)
    print("the drill passed")


if __name__ == "__main__":
    main()
