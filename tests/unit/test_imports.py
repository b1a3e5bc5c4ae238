"""What a first look at mgcl loads: neither torch nor Ray nor Gradio."""

import subprocess
import sys
from pathlib import Path

import pytest

import mgcl

PLAN = """
from mgcl.features import FeatureBank
from mgcl.sweep import Sweep
from mgcl.sweep.grid import plan
from mgcl.methods.variants import FEW_SHOT
from mgcl.tasks import few_shot
bank = FeatureBank.open(sys.argv[1])
sweep = Sweep("s", few_shot.Draws((2,), (2,), queries=5), tuple(FEW_SHOT))
assert len(plan(sweep, bank)) == len(FEW_SHOT) - 2
"""
REPORT = "import mgcl.tracking.record, mgcl.reporting.tables"
HELP = "from mgcl.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"


HEAVY = {"torch", "ray", "gradio"}


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import mgcl", {"numpy", "mlflow", *HEAVY}),
        (HELP, {"numpy", "mlflow", *HEAVY}),
        (PLAN, {"mlflow", *HEAVY}),
        (REPORT, {"scipy.stats", *HEAVY}),
    ],
    ids=["import", "help", "plan", "report"],
)
def test_loads_nothing_heavy(code: str, heavy: set[str], bank) -> None:
    check = f"\nheavy = {heavy} & set(sys.modules)\nassert not heavy, heavy"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}{check}", str(bank.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_module_is_long() -> None:
    """One job per module: what is longer has several."""
    package = Path(mgcl.__file__).parent
    lengths = {str(file.relative_to(package)): len(file.read_text().splitlines()) for file in package.rglob("*.py")}
    assert {file: length for file, length in lengths.items() if length > 300} == {}
