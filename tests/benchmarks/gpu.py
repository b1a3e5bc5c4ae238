"""A GPU beside one CPU thread: transport, store, training, closed forms, and a training step of AV-DIFF.

    PYTHONPATH=. python tests/benchmarks/gpu.py reports/benchmarks.md

Each job runs on the CPU and on the GPU, on the same numbers. The table has the median of the rounds after a warm-up,
and the largest difference between both results. It is one section of the page.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mgcl.features import FeatureBank
from mgcl.methods.few_shot import mgcl
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial, similarity_store
from mgcl.transport.matching import Matching
from mgcl.transport.pairwise import SimilarityStore
from mgcl.transport.sinkhorn import sinkhorn
from tests import cases
from tests.benchmarks import sections
from tests.benchmarks.report import duration
from tests.benchmarks.test_recogniser import stepper
from tests.benchmarks.test_training import support_set
from tests.generated_bank import write_generated_bank
from tests.numerics.problems import hard_costs

ROWS = (
    "full",
    "multi-grained-kernel",
    "proker",
    "ridge",
    "logistic-regression",
    "cross-modal-probe",
    "gda",
    "lp++",
    "knn",
)


@dataclass(frozen=True)
class Sizes:
    """How much work the jobs do."""

    problems: int = 20_000
    clips: int = 2_000
    d: int = 1024
    way: int = 10
    shot: int = 5
    episodes: int = 20
    rows: tuple[str, ...] = ROWS
    av_diff: bool = True
    rounds: int = 5


Result = dict[str, Tensor]
"""Name of a number, with its unit -> values that are compared between the devices."""


@dataclass(frozen=True)
class Job:
    """One line of the table."""

    name: str
    on: Callable[[str], Callable[[], Result]]
    """Function from a device to the work there, which starts from data on that device."""


def jobs(sizes: Sizes, bank: FeatureBank) -> Iterator[Job]:
    """All lines of the table, in its order."""
    yield Job(f"{sizes.problems:,} transport problems of 16 x 16, hard costs", lambda device: _transport(sizes, device))
    yield Job(f"store: all pairs of {sizes.clips:,} clips, 16 segments, d = {sizes.d}",
              lambda device: _store(sizes, device))  # fmt: skip
    yield Job(f"training: {sizes.way}-way {sizes.shot}-shot, 20 epochs, d = {sizes.d}",
              lambda device: _training(sizes, device))  # fmt: skip
    for row in sizes.rows:
        name = f"trial of {row}: {sizes.episodes} episodes, {sizes.way}-way {sizes.shot}-shot, warm store"
        yield Job(name, lambda device, row=row: _trial(sizes, bank, row, device))
    for novel in (False, True) if sizes.av_diff else ():
        what = "novel classes, chain of 200" if novel else "base classes"
        yield Job(f"AV-DIFF training step, {what}", lambda device, novel=novel: _step(device, novel=novel))


def _transport(sizes: Sizes, device: str) -> Callable[[], Result]:
    costs = hard_costs(sizes.problems, 16, 16).to(device)

    def solve() -> Result:
        plans = sinkhorn(costs, epsilon=0.1).plan
        return {"similarity": ((1 - costs) * plans).sum((-1, -2))}

    return solve


def _store(sizes: Sizes, device: str) -> Callable[[], Result]:
    random = np.random.default_rng(0)
    labels, every = np.arange(sizes.clips) % 50, np.arange(sizes.clips)
    segments = random.standard_normal((50, 1, sizes.d))[labels] + random.standard_normal((sizes.clips, 16, sizes.d))
    segments = segments.astype(np.float32)

    def fill() -> Result:
        store = SimilarityStore(segments, labels, digest="benchmark", root=None, device=device)
        return {"similarity": store.look_up(every, every, Matching()).value}

    return fill


def _training(sizes: Sizes, device: str) -> Callable[[], Result]:
    support = support_set(sizes.way, sizes.shot, device)
    parameters = mgcl.Parameters(coarse_cache=False, fine_cache=False)

    def train() -> Result:
        return {"weight": torch.cat([each.ravel() for each in mgcl.fit(support, parameters).adapters])}

    return train


def _trial(sizes: Sizes, bank: FeatureBank, row: str, device: str) -> Callable[[], Result]:
    drawn = {"ways": (sizes.way,), "shots": (sizes.shot,), "queries": 15, "episodes": sizes.episodes}
    trial = plan(cases.sweep("benchmark", (row,), **drawn), bank)[0].trial
    store = similarity_store(bank, device=device)

    def run() -> Result:
        result = run_trial(trial, bank, device=device, similarities=store)
        return {"accuracy of an episode": torch.tensor(result.scores["accuracy"])}

    return run


def _step(device: str, *, novel: bool) -> Callable[[], Result]:
    step = stepper("mgcl", novel, device)

    def run() -> Result:
        step()  # its noise differs between devices: there is nothing to compare
        return {}

    return run


def measured(sizes: Sizes, device: str) -> pd.DataFrame:
    """Run every job on the CPU and on ``device``; one line per job."""
    lines = []
    with TemporaryDirectory() as folder:
        bank = write_generated_bank(Path(folder) / "bank", segments=16, d=384)
        for job in jobs(sizes, bank):
            print(job.name, file=sys.stderr, flush=True)
            (host, expected), (there, found) = (_timed(job.on(each), sizes.rounds) for each in ("cpu", device))
            differences = [f"{name} {_gap(expected[name], found[name]):.1e}" for name in expected]
            lines.append({"": job.name, "cpu": duration(host), device: duration(there),
                          "cpu / " + device: f"{host / there:.1f}",
                          "largest difference": ", ".join(differences)})  # fmt: skip
    return pd.DataFrame(lines)


def _timed(work: Callable[[], Result], rounds: int) -> tuple[float, Result]:
    """Median seconds of the rounds after a warm-up, and the result."""
    seconds = []
    for _ in range(1 + rounds):
        _finish()
        start = time.perf_counter()
        result = work()
        _finish()
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:]), result


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _gap(one: Tensor, other: Tensor) -> float:
    return float((one.cpu() - other.cpu()).abs().max())


def section(lines: pd.DataFrame, gpu: str) -> str:
    """The section of the page, with its heading."""
    words = (
        f"One thread of the CPU beside {gpu}; torch {torch.__version__}. Both do the same work on the same numbers, in "
        "float32 without TF32."
    )
    return f"## On a GPU\n\n{words}\n\n{lines.to_markdown(index=False, disable_numparse=True)}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a GPU beside one CPU thread.")
    parser.add_argument("page", type=Path, help="page whose section is written, e.g. reports/benchmarks.md")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu.py: torch sees no GPU here; run it on a machine with one, and a torch built for it", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    lines = measured(Sizes(), "cuda")
    command = f"PYTHONPATH=. python tests/benchmarks/gpu.py {given.page}"
    sections.put(given.page, "gpu", command, section(lines, torch.cuda.get_device_name()))
    print(f"{given.page}: {len(lines)} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
