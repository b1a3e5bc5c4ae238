"""Opening a bank of 2 GB and its digest: with the hashes that the writer records, and without, as older banks are."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.writer import write_bank

CLIPS, CLASSES, TOKENS, D = 2_000, 50, 128, 4096
GROUP = f"opening a bank of {CLIPS * TOKENS * D * 2 / 1e9:.1f} GB, with its digest"

PAGES = """
import re, sys
from mgcl.features import FeatureBank
bank = FeatureBank.open(sys.argv[1])
bank.digest
(mapping,) = (part for part in re.split(r"\\n(?=[0-9a-f]+-[0-9a-f]+ )", open("/proc/self/smaps").read())
              if "clips.arrow" in part.partition("\\n")[0])
print(int(re.search(r"Rss: +(\\d+) kB", mapping)[1]) // 4)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A bank with hashes, as the writer leaves it."""
    folder = tmp_path_factory.mktemp("banks")
    block = np.random.default_rng(0).standard_normal((TOKENS, D)).astype(np.float16)
    with (folder / "tokens").open("wb") as file:
        for _ in range(CLIPS):
            file.write(block.data)
    video = np.memmap(folder / "tokens", np.float16, mode="r").reshape(-1, D)
    bank = write_bank(
        folder / "recorded",
        Header("benchmark", "1", "", "drawn", tokens={"video": Tokens(0.64)}),
        {
            "clip_id": [f"clip {row}" for row in range(CLIPS)],
            "label": [f"class {row % CLASSES}" for row in range(CLIPS)],
            "video": Ragged(video, np.arange(CLIPS + 1) * TOKENS),
        },
        {"label": [f"class {row}" for row in range(CLASSES)]},
    )
    (folder / "tokens").unlink()
    return bank.path


@pytest.fixture(scope="module")
def older(recorded: Path) -> Path:
    """The same bank without hashes."""
    folder = recorded.with_name("older")
    folder.mkdir()
    for name in ("bank.json", "clips.arrow", "classes.arrow"):
        os.link(recorded / name, folder / name)
    return folder


def opened(benchmark, folder: Path, name: str, rounds: int) -> None:
    pages = subprocess.run([sys.executable, "-c", PAGES, str(folder)], capture_output=True, text=True, check=True)
    benchmark.group, benchmark.name = GROUP, name
    benchmark.extra_info.update(scale=1, facts={"pages of 4 KiB read of clips.arrow:": f"{int(pages.stdout):,}"})
    digest = benchmark.pedantic(lambda: FeatureBank.open(folder).digest, rounds=rounds, warmup_rounds=1)
    assert len(digest) == 64


def test_with_recorded_hashes(benchmark, recorded: Path) -> None:
    opened(benchmark, recorded, "mgcl", 5)


def test_every_value_read(benchmark, older: Path) -> None:
    opened(benchmark, older, "without recorded hashes: every value is checked and hashed", 2)
