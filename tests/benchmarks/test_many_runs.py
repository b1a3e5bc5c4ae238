"""Commands on a store of 100,000 recorded trials: the report, the status, the plan, and the same sweep again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import many_runs

ROOT = Path(__file__).parents[2]
BANKS = 10
MGCL = ["-c", "from mgcl.cli import main; main()"]
SWEEP = [str(ROOT / "sweeps" / "full_grid.py")]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> tuple[Path, list[str], int]:
    """Folder of the store, the sweep's flags, and the number of trials."""
    folder = tmp_path_factory.mktemp("home")
    banks, trials = many_runs.write(folder, BANKS)
    return folder, many_runs.flags(banks), trials


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("which", ["mgcl report", "mgcl status", "sweep --plan", "sweep, all recorded"])
def test_command(benchmark, which, recorded) -> None:
    folder, flags, trials = recorded
    words = {
        "mgcl report": [*MGCL, "report", "full_grid"],
        "mgcl status": [*MGCL, "status", "full_grid"],
        "sweep --plan": [*SWEEP, *flags, "--plan"],
        "sweep, all recorded": [*SWEEP, *flags],
    }[which]
    environment = {**os.environ, "MGCL_HOME": str(folder), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def job() -> str:
        process = subprocess.Popen([sys.executable, *words], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        unit = 1e6 if sys.platform == "darwin" else 1e3
        processor = used.ru_utime + used.ru_stime
        return f"{processor:.0f} s, its processes included; peak memory {used.ru_maxrss / unit:.0f} MB"

    benchmark.group, benchmark.name = f"{trials:,} recorded trials of 100 episodes, {BANKS} banks", which
    said = benchmark.pedantic(job, rounds=1)
    benchmark.extra_info.update(scale=1, facts={"processor time": said})
