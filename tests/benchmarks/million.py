"""A bank of a million clips: what writing its shards, sealing, opening and a sweep take in time and in memory.

    python tests/benchmarks/million.py DIR [--rows N] [--shards N] [--episodes N]

The clips are drawn, not recorded: 500 classes, 4 segments in float16, d = 64, and clip vectors in float32. Each step is
a process of its own. Its peak memory counts the pages of mapped files that it touched, which the system takes back when
others need memory; own memory, at its end, does not. A sweep's figures are its driver's; its one worker is a process of
Ray. Printed is a section for reports/benchmarks.md.
"""

import argparse
import os
import resource
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
    started = time.process_time()
    bank = FeatureBank.open(folder / "bank")
    opened = time.process_time()
    digest = bank.digest
    took = opened - started, time.process_time() - opened
    return f"opening {took[0]:.2f} s of processor time, then the digest {digest[:16]} {took[1]:.4f} s"


def verify(folder: Path, _flags: argparse.Namespace) -> str:
    """Read every value and compare the digests."""
    FeatureBank.open(folder / "bank").verify()
    return "`mgcl bank info --check`: every value read"


def trial(folder: Path, flags: argparse.Namespace) -> str:
    """Plan a sweep and run its first trial, as a worker does."""
    from mgcl.sweep.grid import Sweep, plan
    from mgcl.sweep.trial import run_trial
    from mgcl.tasks import few_shot

    bank = FeatureBank.open(folder / "bank")
    started = time.process_time()
    draws = few_shot.Draws(ways=(12,), shots=(10,), episodes=flags.episodes, queries=15)
    planned = plan(Sweep(name="million", draws=draws, variants=("full",), audio_only=True), bank)
    ready = time.process_time()
    result = run_trial(planned[0].trial, bank)
    took = ready - started, time.process_time() - ready
    return (
        f"planning {took[0]:.2f} s of processor time, the first trial, of {flags.episodes} episodes, {took[1]:.2f} s; "
        f"accuracy {100 * result.mean('accuracy'):.1f} %"
    )


def sweep(folder: Path, flags: argparse.Namespace) -> str:
    """Run a sweep of four trials with its command."""
    from mgcl.cli import main

    os.environ["MGCL_HOME"] = str(folder / "home")
    rows = "full", "zero-shot", "without-cache", "without-fine-cache"
    words = f"sweep cache --bank {folder / 'bank'} --audio-only --workers 1 --ways 12 --shots 10 --queries 15"
    sys.argv = ["mgcl", *words.split(), "--episodes", str(flags.episodes), "--out", str(folder), "--variants", *rows]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
    return f"`mgcl sweep cache --workers 1`, {len(rows)} trials of {flags.episodes} episodes, with its report"


def own_memory() -> float:
    """Memory of this process in GB, without pages of files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1e6 for line in status.splitlines() if line.startswith("RssAnon"))


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
        said = STEPS[flags.step](flags.folder, flags)
        used = resource.getrusage(resource.RUSAGE_SELF)
        figures = f"{used.ru_utime + used.ru_stime:.1f} s | {used.ru_maxrss / 1e6:.2f} GB | {own_memory():.2f} GB"
        print(f"{flags.step}: {figures} | {said}")
        return
    flags.folder.mkdir()
    print(f"## A bank of {flags.rows:,} drawn clips, {SEGMENTS} segments in float16, d = {D}\n")
    print("| step | time | processor time | peak memory | own memory | what |\n|:--|--:|--:|--:|--:|:--|")
    for step in STEPS:
        started = time.perf_counter()
        job = subprocess.Popen([sys.executable, *sys.argv, "--step", step], stdout=subprocess.PIPE, text=True)
        assert job.stdout is not None
        words = job.stdout.read()
        if job.wait():
            sys.exit(f"{step}: failed")
        said = next(line for line in words.splitlines() if line.startswith(f"{step}: ")).partition(": ")[2]
        print(f"| {step} | {time.perf_counter() - started:.1f} s | {said} |", flush=True)
    shutil.rmtree(flags.folder)


if __name__ == "__main__":
    main()
