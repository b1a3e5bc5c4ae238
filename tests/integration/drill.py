"""A sweep under fire: on a cluster of three nodes of this machine, which loses workers, nodes, driver and shell.

    python tests/integration/drill.py [--trials 200] [--kills 3] [--seed 0]

The same sweep runs undisturbed first, in one process. Then workers, nodes, the queue of trials, the driver and the
shell that submitted it are killed with SIGKILL, ``--kills`` of each kind at seeded random times, and a lost node is
replaced; the same command is given again until it ends by itself. The drill passes if each trial has one finished run
then, every episode has the undisturbed sweep's accuracy, the report is the same to the byte, and no process is left.
Trials run on CPUs; the nodes' GPUs are made up. The head runs no trials, as in cluster.yaml, and is not killed: it is
the cluster.
"""

import argparse
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]
VARIANTS = ("full", "audio-only", "caption-only", "category-name", "treff-adapter")
CELLS = 4 * len(VARIANTS)  # a seed: two ways, two shots
KINDS = ("worker", "node", "queue", "driver", "shell")
STALLED = 400
"""Seconds without a trial after which the sweep is taken to hang."""
COMPLETE = "SELECT count(*) FROM tags WHERE key = 'complete' AND value = '1'"
# Ray's head asks clouds who owns the machine: here nobody listens.
QUIET = {
    "PYTHONUNBUFFERED": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "http_proxy": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}
# Ports that two nodes of one machine would both take, and memory that they would each count as theirs.
NODE = ["--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", "0", "--num-gpus", "1"]
NODE += ["--memory", str(2**30), "--object-store-memory", str(80 * 2**20)]


@dataclass(frozen=True)
class Place:
    """A folder for a home, a report, and what the sweep says."""

    folder: Path
    bank: Path
    seeds: int
    episodes: int

    def command(self, *flags: str) -> list[str]:
        """The sweep."""
        what = ["--bank", str(self.bank), "--variants", *VARIANTS, "--ways", "3", "5", "--shots", "1", "3"]
        what += ["--seed", *map(str, range(self.seeds)), "--episodes", str(self.episodes), "--queries", "10"]
        return [sys.executable, str(ROOT / "sweeps" / "full_grid.py"), *what, *flags]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **QUIET, "MGCL_HOME": str(self.folder / "home"), "PYTHONPATH": str(ROOT)}

    def recorded(self) -> int:
        """Trials that count."""
        try:
            with closing(
                sqlite3.connect(f"file:{self.folder}/home/mlflow.db?mode=ro", uri=True, timeout=30)
            ) as connection:
                return connection.execute(COMPLETE).fetchone()[0]
        except sqlite3.OperationalError:  # its tables are being made
            return 0

    def runs(self) -> list[tuple[str, ...]]:
        """Of trials and the parent: status, and of a trial its key, whether it counts, and its episodes' counts."""
        runs = MlflowClient(f"sqlite:///{self.folder}/home/mlflow.db").search_runs(
            ["1"], "tags.kind != 'row'", max_results=10_000
        )
        names = ("trial_key", "complete", "scores.accuracy")
        return sorted((run.info.status, *(run.data.tags.get(name, "") for name in names)) for run in runs)

    def report(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.folder / "reports" / "full_grid").iterdir()}


@dataclass
class Cluster:
    """A Ray cluster: a head without CPUs, and two nodes that are added."""

    folder: Path
    environment: dict[str, str]
    port: int
    head: psutil.Popen = field(init=False)
    nodes: list[psutil.Popen] = field(default_factory=list)

    def __post_init__(self) -> None:
        token = self.folder / "token"
        token.write_text(secrets.token_hex(32))
        self.environment = {**self.environment, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        head = ["--head", "--port", str(self.port), "--temp-dir", str(self.folder)]
        self.head = self._start(*head, "--num-cpus", "0", "--include-dashboard", "false")

    def add(self) -> None:
        """One node more. Another is started if it does not come up: nodes draw ports, and two may draw one."""
        for _ in range(3):
            before = self.started
            node = self._start("--address", f"127.0.0.1:{self.port}", "--num-cpus", "2")
            self.nodes.append(node)
            if waited(lambda node=node, before=before: self.started > before or not family(node)) and family(node):
                return
            kill(family(node))
            self.nodes.remove(node)
        raise AssertionError(f"no node starts: {self.said}")

    @property
    def started(self) -> int:
        """How many nodes have said that they run, of all that there ever were."""
        return self.said.count("Ray runtime started.")

    @property
    def said(self) -> str:
        return (self.folder / "said.log").read_text()

    def replace_the_dead(self) -> None:
        """Start a node for each that ended by itself, as whoever keeps a cluster does."""
        assert family(self.head), f"the head ended by itself: {self.said}"
        for node in [each for each in self.nodes if not family(each)]:
            print(f"a node ended by itself: {self.said}", flush=True)
            self.nodes.remove(node)
            self.add()

    def close(self) -> None:
        kill(self.family())

    def family(self) -> list[psutil.Process]:
        return [each for node in (*self.nodes, self.head) for each in family(node)]

    def actors(self, name: str) -> list[psutil.Process]:
        """The processes that Ray calls so."""
        found = []
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                found += [process] if process.name().startswith(f"ray::{name}") else []
        return found

    def _start(self, *flags: str) -> psutil.Popen:
        ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--node-ip-address", "127.0.0.1"]
        return start([*ray, *NODE, *flags], self.folder, self.environment)


class Submission:
    """The sweep's command in a shell; the driver is the shell's child, and lives on without it."""

    def __init__(self, place: Place, cluster: Cluster) -> None:
        flags = ["--address", f"127.0.0.1:{cluster.port}", "--gpus-per-trial", "0", "--workers", "3"]
        shell = ["bash", "-c", '"$@"; exit $?', "bash", *place.command(*flags)]
        self.shell = start(shell, place.folder, cluster.environment)
        wait_until(self.shell.children)
        (self.driver,) = self.shell.children()

    @property
    def ended(self) -> bool:
        """Neither shell nor driver is there any more."""
        return not family(self.shell) and not family(self.driver)


def start(command: Sequence[str], folder: Path, environment: dict[str, str]) -> psutil.Popen:
    """A process of its own session; what it says goes to ``said.log``."""
    with (folder / "said.log").open("a") as log:
        return psutil.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def wait_until(condition: Callable[[], object]) -> None:
    assert waited(condition), "waited in vain"


def waited(condition: Callable[[], object]) -> bool:
    """Whether a condition comes true within two minutes."""
    end = time.monotonic() + 120
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def listens(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all below it; none if it has ended."""
    if isinstance(process, psutil.Popen):
        process.poll()  # buries it if it has ended
    with suppress(psutil.NoSuchProcess):
        if process.status() != psutil.STATUS_ZOMBIE:
            return [process, *process.children(recursive=True)]
    return []


def kill(processes: Sequence[psutil.Process]) -> None:
    """All at once, as if the power went."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=30)


def shoot(what: str, cluster: Cluster, sweep: Submission, chance: np.random.Generator) -> bool:
    """Kill one of a kind, if there is one; a node's place is taken by another."""
    targets = {
        "worker": lambda: cluster.actors("ImplicitFunc"),
        "queue": lambda: cluster.actors("Queue"),
        "node": lambda: cluster.nodes,
        "driver": lambda: family(sweep.driver)[:1],
        "shell": lambda: family(sweep.shell)[:1],
    }[what]()
    if not targets:
        return False
    target = targets[chance.integers(len(targets))]
    kill(family(target) if what == "node" else [target])
    if what == "node":
        cluster.nodes.remove(target)
        cluster.add()
    return True


def disturbed(place: Place, cluster: Cluster, kills: Sequence[str], seed: int) -> int:
    """Run the sweep under fire until it ends by itself; how often the command was given."""
    chance, trials = np.random.default_rng(seed), place.seeds * CELLS
    due = sorted((int(chance.integers(trials // 20, trials * 3 // 5)), what) for what in kills)
    wait_until(lambda: listens(cluster.port))
    for _ in range(2):
        cluster.add()
    started, seen = time.monotonic(), set[psutil.Process]()
    moved, last = started, -1
    sweep, commands = Submission(place, cluster), 1
    print("| killed | trials recorded | after |\n|---|---|---|")
    while not (sweep.ended and sweep.shell.poll() == 0):
        if sweep.ended:
            assert commands <= len(kills), (place.folder / "said.log").read_text()
            sweep, commands = Submission(place, cluster), commands + 1
        cluster.replace_the_dead()
        if (recorded := place.recorded()) > last or sweep.ended:
            moved, last = time.monotonic(), recorded
        assert time.monotonic() < moved + STALLED, (place.folder / "said.log").read_text()
        if due and recorded >= due[0][0]:
            time.sleep(0.3 * chance.random())
            seen.update(cluster.family(), family(sweep.driver))
            if shoot(due[0][1], cluster, sweep, chance):
                print(f"| {due.pop(0)[1]} | {recorded} | {time.monotonic() - started:.0f} s |", flush=True)
        time.sleep(0.1)
    assert not due, f"the sweep ended before {due}"
    wait_until(lambda: not cluster.actors("ImplicitFunc") and not cluster.actors("Queue"))
    seen.update(cluster.family())
    cluster.close()
    left = psutil.wait_procs(seen, timeout=60)[1]
    assert not left, f"still there: {left}"
    return commands


def drill(folder: Path, bank: Path, *, trials: int, episodes: int, kills: Sequence[str], seed: int) -> None:
    """Run the sweep undisturbed and under fire, print what was killed when, and compare."""
    assert trials % CELLS == 0, f"{trials} trials: choose a multiple of {CELLS}"
    calm, shot = (Place(folder / name, bank, trials // CELLS, episodes) for name in ("undisturbed", "disturbed"))
    for place in (calm, shot):
        place.folder.mkdir()
    started = time.monotonic()
    assert start(calm.command("--local"), calm.folder, calm.environment).wait() == 0
    between = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="mgcl-", ignore_cleanup_errors=True) as short,  # for the paths of sockets
        closing(Cluster(Path(short), shot.environment, free_port())) as cluster,
    ):
        commands = disturbed(shot, cluster, kills, seed)
    alone, under_fire = between - started, time.monotonic() - between
    print(f"\n{trials} trials, {len(kills)} kills, {commands} starts: {under_fire:.0f} s; undisturbed {alone:.0f} s")
    expected = calm.runs()
    assert {(status, complete) for status, _, complete, _ in expected} == {("FINISHED", ""), ("FINISHED", "1")}
    assert len({key for _, key, _, _ in expected}) == len(expected) == trials + 1, "one parent run, one run a trial"
    assert shot.runs() == expected, "a run is lost, there twice, not finished, or other than it should be"
    assert shot.report() == calm.report()
    print("one finished run a trial, equal to the undisturbed sweep's; the report is the same to the byte")


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a sweep, shoot at it, and compare.")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3, help="of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the kills")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mgcl-fire-") as work:
        bank = Path(work) / "bank"
        subprocess.run([sys.executable, str(ROOT / "tests" / "generated_bank.py"), str(bank)], check=True)
        drill(Path(work), bank, trials=flags.trials, episodes=20, kills=KINDS * flags.kills, seed=flags.seed)


if __name__ == "__main__":
    main()
