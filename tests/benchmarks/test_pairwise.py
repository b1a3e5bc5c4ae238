"""The all-pairs store: what filling it costs beside the bare cosines, and a look-up beside computing it again."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mgcl.transport.cost import pairwise_cosine
from mgcl.transport.matching import Matching
from mgcl.transport.pairwise import SimilarityStore
from mgcl.transport.similarity import similarity

CLIPS, CLASSES, SEGMENTS, D = 2_000, 50, 16, 1024
LABELS = np.arange(CLIPS) % CLASSES
EVERY = np.arange(CLIPS)

PEAK = """
import sys
import numpy as np, psutil, torch
from mgcl.transport.matching import Matching
from mgcl.transport.pairwise import SimilarityStore
torch.set_num_threads(1)
before = psutil.Process().memory_info().rss
segments = np.load(sys.argv[1], mmap_mode="r")
every = np.arange(len(segments))
store = SimilarityStore(segments, every % 50, digest="benchmark", root=__import__("pathlib").Path(sys.argv[2]))
store.look_up(every, every, Matching())
status = dict(line.split(":", 1) for line in open("/proc/self/status"))  # ru_maxrss would be the parent's
print(int(status["VmHWM"].split()[0]) * 1024 / 1e6 - before / 1e6)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Segments that share something with their class, their clip and nothing else."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((CLASSES, 1, D))
    segments = centres[LABELS] + 0.8 * random.standard_normal((CLIPS, 1, D))
    path = tmp_path_factory.mktemp("bank") / "segments.npy"
    np.save(path, (segments + 0.8 * random.standard_normal((CLIPS, SEGMENTS, D))).astype(np.float32))
    return path


def filled(segments: np.ndarray, device: str, root: Path | None = None) -> SimilarityStore:
    store = SimilarityStore(segments, LABELS, digest="benchmark", root=root, device=device)
    store.look_up(EVERY, EVERY, Matching())
    return store


def test_filling(timed, file, device, tmp_path) -> None:
    segments = np.load(file, mmap_mode="r")
    peak = subprocess.run([sys.executable, "-c", PEAK, str(file), str(tmp_path)], capture_output=True, check=True)
    started = time.process_time()
    store = filled(segments, device)
    facts = {"processor time": f"{time.process_time() - started:.1f} core-seconds"}
    if device == "cpu":
        facts["peak memory"] = f"{float(peak.stdout):.0f} MB above the imports, the memory-mapped bank included"
    else:
        host = filled(segments, "cpu").look_up(EVERY, EVERY, Matching()).value
        gap = (store.look_up(EVERY, EVERY, Matching()).value.cpu() - host).abs().max().item()
        facts["largest difference from the CPU"] = f"{gap:.1e}"
    timed(f"all pairs of {CLIPS:,} clips, {SEGMENTS} segments, d = {D}", f"mgcl {device}",
          lambda: filled(segments, device), **facts)  # fmt: skip


def test_bare_cosines(timed, file) -> None:
    segments = torch.from_numpy(np.load(file))

    def cosines() -> None:
        for top in range(0, CLIPS, 32):
            for left in range(top // 128 * 128, CLIPS, 128):
                pairwise_cosine(segments[top : top + 32], segments[left : left + 128])

    timed(f"all pairs of {CLIPS:,} clips, {SEGMENTS} segments, d = {D}", "their cosines alone, each pair once", cosines)


def episode() -> tuple[np.ndarray, np.ndarray]:
    """Query and support rows of a 12-way 10-shot episode with 30 queries a class."""
    classes = np.random.default_rng(1).permutation(CLASSES)[:12]
    rows = np.stack([np.flatnonzero(label == LABELS) for label in classes])
    return rows[:, 10:].ravel(), rows[:, :10].ravel()


LOOK_UP = "360 query clips against 120 support clips"


def test_look_up(timed, file, device, tmp_path) -> None:
    store = filled(np.load(file, mmap_mode="r"), device, tmp_path)
    timed(LOOK_UP, f"mgcl {device}, a look-up", lambda: store.look_up(*episode(), Matching()))


def test_computing(timed, file, device) -> None:
    segments = torch.from_numpy(np.load(file)).to(device)
    query, support = (segments[rows] for rows in episode())
    timed(LOOK_UP, f"{device}, computed again", lambda: similarity(query, support))
