"""What a first look at mgcl loads: neither torch nor Ray nor Gradio."""

import subprocess
import sys

import pytest

PLAN = """
from mgcl.features import FeatureBank
from mgcl.sweep import Sweep
from mgcl.sweep.grid import plan
from mgcl.methods.variants import VARIANTS
from mgcl.tasks import few_shot
bank = FeatureBank.open(sys.argv[1])
sweep = Sweep("s", few_shot.Draws((2,), (2,), queries=5), tuple(VARIANTS))
assert len(plan(sweep, bank)) == len(VARIANTS) - 2
"""
REPORT = "import mgcl.tracking.record, mgcl.reporting.tables"
HELP = "from mgcl.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"


@pytest.mark.parametrize("code", ["import mgcl", HELP, PLAN, REPORT], ids=["import", "help", "plan", "report"])
def test_loads_nothing_heavy(code: str, bank) -> None:
    check = "\nheavy = {'torch', 'ray', 'gradio'} & set(sys.modules)\nassert not heavy, heavy"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}{check}", str(bank.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
