"""CPU and GPU say the same, and a GPU says it twice to the bit; skipped without a GPU."""

import pytest
import torch

from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from mgcl.transport.cost import unit
from mgcl.transport.matching import Matching
from mgcl.transport.similarity import similarity
from tests import cases

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

SWEEP = cases.sweep("s", ("full", "zero-shot", "without-contrast"), ways=(5,), shots=(1, 3), queries=10, episodes=20)


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.5])
def test_similarities_agree(epsilon) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    x, y = (unit(torch.randn(count, 16, 384, generator=torch.Generator().manual_seed(0))) for count in (60, 40))
    cpu = similarity(x, y, Matching(epsilon=epsilon))
    gpu = similarity(x.cuda(), y.cuda(), Matching(epsilon=epsilon))
    assert gpu.value.cpu().numpy() == pytest.approx(cpu.value.numpy(), abs=1e-4)


@pytest.mark.parametrize("index", range(6))
def test_trials_agree(index, bank) -> None:
    trial = plan(SWEEP, bank)[index].trial
    cpu, gpu, again = (run_trial(trial, bank, device=device) for device in ("cpu", "cuda", "cuda"))
    assert gpu.confusions == again.confusions
    assert gpu.explained == again.explained
    queries = trial.cell.way * trial.cell.queries * trial.cell.episodes
    differing = sum(abs(c.correct - g.correct) for c, g in zip(cpu.confusions, gpu.confusions, strict=True))
    assert differing <= max(1, queries / 1000)


def test_real_trials_agree(real_bank) -> None:
    sweep = cases.changed_sweep(SWEEP, ways=(10,), shots=(5,), queries=15, variants=("full",))
    trial = plan(sweep, real_bank)[0].trial
    cpu, gpu = (run_trial(trial, real_bank, device=device) for device in ("cpu", "cuda"))
    differing = sum(abs(c.correct - g.correct) for c, g in zip(cpu.confusions, gpu.confusions, strict=True))
    print(f"{differing} of 3,000 queries; {cpu.seconds:.1f} s on the CPU, {gpu.seconds:.1f} s on the GPU")
    assert differing <= 3
