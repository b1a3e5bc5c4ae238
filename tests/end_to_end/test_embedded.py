"""The first command, `python sweeps/full_grid.py`, on a machine that reaches nobody: sound, bank, sweep, report."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from mgcl.backbones import tiny
from mgcl.sweep import main
from sweeps.full_grid import SWEEP
from tests.commands import run_here

ROOT = Path(__file__).parents[2]
FORMER = tiny.SHIPPED / "former"

# Every Python process of the sweep, Ray's workers included, may talk to this machine alone.
SEALED = """
import os
import socket

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
look_up = socket.getaddrinfo


def refuse_strangers(call):
    def checked(self, address):
        if self.family != socket.AF_UNIX and self.type & socket.SOCK_STREAM and not str(address[0]).startswith(LOCAL):
            if address[0] not in {info[4][0] for info in look_up(socket.gethostname(), None)}:
                log(f"refused {address}")
                raise OSError(f"this test has no network: {address}")
        return call(self, address)

    return checked


def refuse_names(host, *arguments, **options):
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    if text.strip("0123456789.:") and text not in ("localhost", "::1", socket.gethostname()):
        log(f"refused {text}")
        raise OSError(f"this test has no network: {text}")
    return look_up(host, *arguments, **options)


def log(line):
    with open(os.environ["SEALED_LOG"], "a") as stream:
        print(line, file=stream)


class Sealed(socket.socket):
    connect = refuse_strangers(socket.socket.connect)
    connect_ex = refuse_strangers(socket.socket.connect_ex)


socket.socket, socket.getaddrinfo = Sealed, refuse_names
log("sealed")
"""

# The first command on fewer clips of each class.
FEW = """
from functools import partial
from mgcl.extraction import embedded
from mgcl.sweep import main
from sweeps.full_grid import SWEEP

if __name__ == "__main__":
    embedded.make_bank = partial(embedded.make_bank, clips=16)
    main(SWEEP)
"""


def run(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    (folder / "sealed").mkdir(exist_ok=True)
    (folder / "sealed" / "sitecustomize.py").write_text(SEALED)
    environment = {
        **os.environ,
        "MGCL_HOME": str(folder / "home"),
        "MGCL_TINY_WEIGHTS": str(next(FORMER.iterdir())),  # the embedded bank has the shipped ones all the same
        "PYTHONPATH": os.pathsep.join([str(folder / "sealed"), str(ROOT)]),
        "SEALED_LOG": str(folder / "sealed.log"),
    }
    (folder / "few.py").write_text(FEW)
    command = [sys.executable, "few.py", *flags]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_first_command_without_a_network(tmp_path) -> None:
    flags = (
        "--ways",
        "5",
        "--shots",
        "5",
        "--episodes",
        "4",
        "--queries",
        "10",
        "--folds",
        "3",
        "--fold-classes",
        "10",
    )
    flags += ("--variants", "full", "zero-shot", "mel-statistics")
    done = run(tmp_path, *flags)
    assert done.returncode == 0, done.stderr
    sealed = (tmp_path / "sealed.log").read_text().splitlines()
    assert len(sealed) > 2  # the driver and Ray's processes
    assert set(sealed) == {"sealed"}, "someone tried to reach the network"
    assert "9 finished, 0 failed, 0 missing" in done.stdout
    (bank,) = (tmp_path / "home" / "banks").iterdir()
    assert json.loads((bank / "bank.json").read_text())["extraction"]["weights"] == tiny.load().fingerprint
    assert "runs:   mgcl ui\n" in done.stdout
    cells = pd.read_csv(tmp_path / "reports" / "full_grid" / "cells.csv").set_index("variant")
    accuracy = cells["accuracy_percent"]
    assert accuracy["zero-shot"] > 40  # twice chance
    assert accuracy["full"] > accuracy["mel-statistics"] + 10
    report = (tmp_path / "reports" / "full_grid" / "report.md").read_text()
    assert re.search(r"\d+\.\d % of the captions contain a word of their class's name", report)

    again = run_here(lambda: main(SWEEP, flags), folder=tmp_path, MGCL_HOME=tmp_path / "home")
    assert again.returncode == 0, again.stderr
    assert "nothing to run, all 9 trials are recorded" in again.stdout
    assert "generating" not in again.stderr
    assert "embedding" not in again.stderr
    assert (tmp_path / "reports" / "full_grid" / "report.md").read_text() == report
