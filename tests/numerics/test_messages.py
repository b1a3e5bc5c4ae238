"""What a user reads whose arguments do not go together: without the tests' own checks, which would come first."""

import subprocess
import sys

import pytest

START = """import torch
from mgcl.transport.cost import inner
from mgcl.transport.similarity import similarity
from mgcl.transport.sinkhorn import sinkhorn
x, p = torch.ones(5, 4, 3), torch.full((4,), 0.25)
"""
CASES = {
    "sinkhorn(x, epsilon=1, max_iterations=2.5)": "max_iterations must be a whole number, at least 1, got 2.5",
    "sinkhorn(x, epsilon=1, gradient='exakt')": "gradient must be one of 'detached', 'exact', got 'exakt'",
    "inner(x[0], x[0, :, :2])": "rows of one length, dtype and stack are needed, got (4, 3) torch.float32 and (4, 2)",
    "inner(x[0], x[0].double())": "got (4, 3) torch.float32 and (4, 3) torch.float64",
    "inner(x, x[:2])": "got (5, 4, 3) torch.float32 and (2, 4, 3) torch.float32",
    "similarity(x, x[..., :2])": "rows of one length, dtype and stack are needed",
    "similarity(x[0], x[0])": "segments of clips are needed, (clips, n, d), got (4, 3) and (4, 3)",
    "sinkhorn(x, epsilon=1, marginals=(p, p))": "the column marginal's shape (4,) does not fit (5, 3), or (3,)",
    "sinkhorn(x[0], epsilon=1, marginals=(p.expand(2, 4), p))": "the row marginal's shape (2, 4) does not fit (4,)",
}


@pytest.mark.parametrize("call", CASES)
def test_it_names_the_values(call) -> None:
    done = subprocess.run([sys.executable, "-c", START + call], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: ")
    assert CASES[call] in last
