"""A bank of a million clips: what writing its shards, sealing, opening and a sweep take in time and in memory.

    python tests/benchmarks/million.py DIR [--rows N] [--shards N] [--episodes N]

The clips are drawn, not recorded: 500 classes, 4 segments in float16, d = 64, and clip vectors in float32. Each step is
a process of its own, whose peak memory is that of the process with the pages of mapped files that it touched. The sweep
runs in its driver (``--local``), so that its memory is at least the driver's on a cluster. Printed is a section for
reports/benchmarks.md, where ``make bench`` leaves what stands below its line.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from mgcl.features import FeatureBank
from mgcl.features.header import Header
from mgcl.features.shards import write_shard
from mgcl.features.writer import seal

CLASSES, SEGMENTS, D = 500, 4, 64
HEADER = Header("drawn", "1", "CC0-1.0", "drawn", D, 30.0, 16000, 5.0, SEGMENTS)
NAMES = [f"class {number:03}" for number in range(CLASSES)]


def write(folder: Path, flags: argparse.Namespace) -> str:
    """Write all shards one after another."""
    (folder / "draft").mkdir()
    bounds = np.linspace(0, flags.rows, flags.shards + 1).astype(int).tolist()
    for number, (first, last) in enumerate(pairwise(bounds)):
        random = np.random.default_rng([0, number])
        labels = random.integers(CLASSES, size=last - first)
        centres = np.random.default_rng(1).standard_normal((CLASSES, 1, D), np.float32)
        segments = centres[labels] + 6 * random.standard_normal((last - first, SEGMENTS, D), np.float32)
        clips = {
            "clip_id": [f"recording_{row // 10:06}/{row:07}" for row in range(first, last)],
            "label": [NAMES[label] for label in labels],
            "source": [f"recording_{row // 10:06}" for row in range(first, last)],
            "clip_embedding": segments.mean(1),
            "segment_embeddings": segments.astype(np.float16),
        }
        write_shard(folder / "draft", number, HEADER, clips)
    return "written with write_shard, in the driver"


def seal_them(folder: Path, _flags: argparse.Namespace) -> str:
    """Make a bank of the shards."""
    centres = np.random.default_rng(1).standard_normal((CLASSES, 1, D), np.float32)
    classes = {
        "label": NAMES,
        "prompt": [f"the sound of {name}" for name in NAMES],
        "prompt_embedding": centres[:, 0],
        "explanations": [[name] for name in NAMES],
        "explanation_embeddings": centres,
    }
    bank = seal(folder / "draft", folder / "bank", HEADER, classes)
    size = sum(file.stat().st_size for file in bank.path.iterdir())
    return f"{len(bank.clips):,} clips in {len(bank.shards)} shards, {size / 1e9:.2f} GB"


def open_it(folder: Path, _flags: argparse.Namespace) -> str:
    """Open the bank, which gives its digest too."""
    started = time.perf_counter()
    bank = FeatureBank.open(folder / "bank")
    opened = time.perf_counter()
    digest = bank.digest
    return f"opening {opened - started:.2f} s; then the digest, {digest[:16]}, {time.perf_counter() - opened:.4f} s"


def verify(folder: Path, _flags: argparse.Namespace) -> str:
    """Read every value and compare the digests."""
    FeatureBank.open(folder / "bank").verify()
    return "`mgcl bank info --check`: every value read"


def trial(folder: Path, flags: argparse.Namespace) -> str:
    """Plan a sweep and run its first trial, as a worker does."""
    from mgcl.records import Trial
    from mgcl.sweep.grid import Sweep, plan
    from mgcl.sweep.trial import run_trial
    from mgcl.tasks import few_shot

    bank = FeatureBank.open(folder / "bank")
    started = time.perf_counter()
    draws = few_shot.Draws(ways=(12,), shots=(10,), episodes=flags.episodes, queries=15)
    planned = plan(Sweep(name="million", draws=draws, variants=("full",), audio_only=True), bank)
    ready, first = time.perf_counter(), planned[0].trial
    assert isinstance(first, Trial)
    result = run_trial(first, bank)
    return (
        f"planning {ready - started:.2f} s, the first trial of {flags.episodes} episodes {result.seconds:.2f} s, "
        f"accuracy {100 * result.mean('accuracy'):.1f} %"
    )


def sweep(folder: Path, flags: argparse.Namespace) -> str:
    """Run a sweep of four trials with its command."""
    from mgcl.cli import main

    os.environ["MGCL_HOME"] = str(folder / "home")
    rows = "full", "zero-shot", "without-cache", "without-fine-cache"
    words = f"sweep cache --bank {folder / 'bank'} --audio-only --local --ways 12 --shots 10 --queries 15"
    sys.argv = ["mgcl", *words.split(), "--episodes", str(flags.episodes), "--out", str(folder), "--variants", *rows]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
    return f"`mgcl sweep cache --local`, {len(rows)} trials of {flags.episodes} episodes, with its report"


STEPS = {"write": write, "seal": seal_them, "open": open_it, "trial": trial, "sweep": sweep, "check": verify}


def main() -> None:
    """Run the steps one by one, each in a process of its own; or one step in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--step", choices=tuple(STEPS))
    flags = parser.parse_args()
    if flags.step:
        print(f"{flags.step}: {STEPS[flags.step](flags.folder, flags)}")
        return
    flags.folder.mkdir()
    print(f"## A bank of {flags.rows:,} drawn clips, {SEGMENTS} segments in float16, d = {D}\n")
    print("| step | time | peak memory | what |\n|:--|--:|--:|:--|")
    for step in STEPS:
        started = time.perf_counter()
        job = subprocess.Popen([sys.executable, *sys.argv, "--step", step], stdout=subprocess.PIPE, text=True)
        assert job.stdout is not None
        words = job.stdout.read()
        _, status, used = os.wait4(job.pid, 0)
        if status:
            sys.exit(f"{step}: failed")
        said = next(line for line in words.splitlines() if line.startswith(f"{step}: ")).partition(": ")[2]
        print(
            f"| {step} | {time.perf_counter() - started:.1f} s | {used.ru_maxrss / 1e6:.2f} GB | {said} |", flush=True
        )
    shutil.rmtree(flags.folder)


if __name__ == "__main__":
    main()
