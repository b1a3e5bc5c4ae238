"""The compiled kernel beside torch's and POT's, one thread: processor time, because these machines are busy.

python tests/benchmarks/kernel.py [--bank ../shared/data/esc10-bank]
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ot
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from mgcl.features import FeatureBank
from mgcl.transport.cost import pairwise_cosine
from mgcl.transport.sinkhorn import Transport, iteration_limit, sinkhorn
from tests.numerics.problems import hard_costs

PROBLEMS, ROUNDS = 20_000, 5


def real_costs(bank: str) -> torch.Tensor:
    """Costs between segments of a bank's clips, as ``test_transport.py`` draws them."""
    segments = torch.from_numpy(FeatureBank.open(bank).segment_embeddings.copy())
    random = torch.Generator().manual_seed(0)
    x, y = (segments[torch.randint(len(segments), (count,), generator=random)] for count in (200, 100))
    return (1 - pairwise_cosine(x, y)).permute(2, 3, 0, 1).reshape(PROBLEMS, 16, 16).contiguous()


def by(kernel: str, cost: torch.Tensor) -> Transport:
    os.environ["MGCL_TRANSPORT"] = kernel
    return sinkhorn(cost, epsilon=0.1)


def seconds(*jobs: Callable[[], object]) -> list[float]:
    """Median processor time of each job, in turns after a warm-up."""
    took: list[list[float]] = [[] for _ in jobs]
    for round_ in range(ROUNDS + 1):
        for job, each in zip(jobs, took, strict=True):
            started = time.process_time()
            job()
            if round_:
                each.append(time.process_time() - started)
    return [statistics.median(each) for each in took]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare three solvers of transport.")
    parser.add_argument("--bank", default="../shared/data/esc10-bank", help="with 16 segments a clip")
    flags = parser.parse_args()
    torch.set_num_threads(1)
    for name, cost in (("real", real_costs(flags.bank)), ("hard", hard_costs(PROBLEMS, 16, 16))):
        plain, compiled = by("torch", cost), by("compiled", cost)
        gap = (plain.plan - compiled.plan).abs().amax((-1, -2))
        alike = plain.iterations == compiled.iterations
        options = {"reg": 0.1, "max_iter": iteration_limit(0.1), "tol": 1e-4 / 16, "method": "sinkhorn"}
        fast, torch_, pot = seconds(
            lambda cost=cost: by("compiled", cost),
            lambda cost=cost: by("torch", cost),
            lambda cost=cost, options=options: ot.solve_batch(cost, **options),
        )
        print(
            f"{name}: compiled {1e3 * fast:.1f} ms, torch {1e3 * torch_:.1f} ms ({torch_ / fast:.1f}x), POT's batch "
            f"{1e3 * pot:.1f} ms ({pot / fast:.1f}x); plans differ by at most {gap[alike].max():.1e} where the rounds "
            f"are alike, {gap.max():.1e} where they are not: {int((~alike).sum())} of {PROBLEMS:,}",
            flush=True,
        )


if __name__ == "__main__":
    main()
