"""A manifest of a million clips: what listing it, embedding it into shards, and sealing take in time and in memory.

    python tests/benchmarks/million_clips.py DIR [--rows N] [--decoded N] [--files N]

The manifest has clips of one second, of 500 classes, at places in generated wav files of 8 kHz. A stand-in replaces the
backbone. Each step is a process of its own, the driver; shards are embedded in another process, as by an actor. Printed
are the seconds on the clock, the seconds of processor time, which do not depend on what else the machine does, and peak
memory, each of the driver and of the other process. Three extractions are made:

- ``first``, all rows, 16 segments, d = 1,024, stopped when the first shard is complete;
- ``decoded``, the first N rows, as large: every clip is decoded, resampled and described by mel statistics;
- ``extract``, all rows, 4 segments in float16, d = 64, with drawn vectors instead of decoding. Listing, shards, sealing
  and the bank are real.

``DIR/bank`` remains, for ``python tests/benchmarks/million.py DIR --step open|trial|sweep|check``.
"""

import argparse
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import soundfile
import torch
from threadpoolctl import threadpool_limits

from mgcl.backbones.backbone import AudioFeatures, facts
from mgcl.data._streamed.opening import streamed
from mgcl.extraction import streamed_workbench
from mgcl.extraction.assembly import header_of
from mgcl.extraction.embedding import Embedded
from mgcl.extraction.plan import Shard
from mgcl.extraction.streamed import extract_streamed_by, texts_of
from mgcl.extraction.streamed_plan import plan_of
from mgcl.extraction.streamed_workbench import StreamedWorkbench, shards_of
from mgcl.language.explanations import from_templates

CLASSES, RATE, LONG = 500, 8000, 20
LARGE, SMALL = (16, 1024), (4, 64)
"""Segments and d of the stand-ins."""


def backbone(segments: int, d: int) -> Any:
    """A backbone whose vectors are levels of the parts of a clip, shifted: they differ, and take no time."""

    def embed_audio(waveforms: torch.Tensor) -> AudioFeatures:
        levels = waveforms.reshape(len(waveforms), segments, -1).abs().mean(-1, keepdim=True)
        vectors = levels + torch.arange(d) / d
        return AudioFeatures(vectors, vectors.mean(1))

    def embed_text(sentences: list[str]) -> torch.Tensor:
        seeds = (torch.Generator().manual_seed(int.from_bytes(each.encode()[-7:])) for each in sentences)
        return torch.stack([torch.randn(d, generator=seed) for seed in seeds])

    return SimpleNamespace(
        name="levels", fingerprint="0", embedding_dim=d, logit_scale=30.0, sample_rate=RATE, seconds=1.0,
        segments=segments, segment_seconds=1 / segments, captions=(), embed_audio=embed_audio, embed_text=embed_text,
    )  # fmt: skip


def drawn(clips: list[Any], *_: object) -> Embedded:
    """Vectors of clips that nobody decodes, around a centre per class."""
    random = np.random.default_rng(len(clips[0].clip_id))
    classes = np.array([int(Path(clip.path).stem) % CLASSES for clip in clips])
    centres = np.random.default_rng(1).standard_normal((CLASSES, 1, SMALL[1]), np.float32)
    segments = centres[classes] + 6 * random.standard_normal((len(clips), *SMALL), np.float32)
    statistics = np.zeros((len(clips), 65), np.float32)
    return Embedded(tuple(clip.clip_id for clip in clips), segments.mean(1), segments, statistics, {})


def finish(bench: StreamedWorkbench, *, decoded: bool) -> tuple[float, float]:
    """Finish a shard, as an actor does; returns processor time in seconds and peak memory in GB, both until now."""
    stand_ins = {} if decoded else {"embed_clips": drawn, "seconds_of": lambda _: 1.0}
    torch.set_num_threads(1)
    with (
        patch.multiple(streamed_workbench, **stand_ins) if stand_ins else ThreadPoolExecutor(1),
        ThreadPoolExecutor(2) as decoders,
        threadpool_limits(1, user_api="blas"),
    ):
        for shard in bench.shards:
            bench.finish(shard, backbone(*(LARGE if decoded else SMALL)), decoders)
    return used()


def used() -> tuple[float, float]:
    """Processor time of this process in seconds, and its peak memory in GB."""
    about = resource.getrusage(resource.RUSAGE_SELF)
    return about.ru_utime + about.ru_stime, about.ru_maxrss / 1e6


class FirstShard(Exception):  # noqa: N818
    """The first shard of clips is complete."""


def extract(folder: Path, manifest: str, *, decoded: bool, first: bool = False) -> str:
    """Extract the bank of a manifest, with another process for the shards."""
    started, ready, other = time.perf_counter(), [], [(0.0, 0.0)]

    def run(bench: StreamedWorkbench) -> Iterator[Shard]:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            for shard in bench.todo:
                other.append(pool.apply(finish, (bench.only([shard]),), {"decoded": decoded}))
                yield shard
                if shard.rows:
                    ready.append(time.perf_counter() - started)
                    if first:
                        raise FirstShard

    source = streamed(f"manifest:{folder / manifest}", None)
    assert source is not None
    out = folder / "bank" if not first and not decoded else folder / f"bank-{'first' if first else 'decoded'}"
    plan = plan_of(source, out)
    listed, cpu = time.perf_counter() - started, used()[0]
    about = facts(backbone(*(LARGE if decoded else SMALL)))
    texts = texts_of(plan, source.about, about, from_templates(plan.classes))
    words = f"{plan.clips:,} clips"
    try:
        bank = extract_streamed_by(run, plan, source.about, about, out, texts, half=not decoded)
        words += f", {len(bank.shards)} shards"
    except FirstShard:
        words += f", first shard of {shards_of(plan.clips, header_of(source.about, about))[0].clips:,}"
    return (
        f"{words}: listed after {listed:.0f} s ({cpu:.0f} s of processor time with the imports), first shard complete "
        f"after {ready[0]:.0f} s; other process {other[-1][0]:.0f} s of processor time, {other[-1][1]:.2f} GB"
    )


def write(folder: Path, flags: argparse.Namespace) -> str:
    """Write the wav files and the manifests."""
    (folder / "wav").mkdir(exist_ok=True)
    for number in range(flags.files):
        noise = np.random.default_rng(number).normal(size=LONG * RATE) / 10
        soundfile.write(folder / "wav" / f"{number:06}.wav", noise, RATE)
    rows = np.arange(flags.rows)
    file, place = rows % flags.files, rows // flags.files
    table = pd.DataFrame(
        {
            "path": [f"wav/{number:06}.wav" for number in file.tolist()],
            "offset": np.round(place * (LONG - 1) / (flags.rows / flags.files), 4),
            "seconds": 1.0,
            "label": [f"class {number:03}" for number in (file % CLASSES).tolist()],
            "source": [f"recording {number:06}" for number in file.tolist()],
        }
    )
    for name, part in (("million", table), ("decoded", table[: flags.decoded])):
        part.to_csv(folder / f"{name}.csv", index=False)
        part.to_parquet(folder / f"{name}.parquet", index=False)
    size = (folder / "million.csv").stat().st_size / 1e6
    return f"{flags.rows:,} rows of {flags.files:,} files; {size:.0f} MB as csv"


def listing(folder: Path, manifest: str) -> str:
    """List a manifest, without a bank."""
    source = streamed(f"manifest:{folder / manifest}", None)
    assert source is not None
    plan = plan_of(source, folder / "listed")
    size = sum(each.stat().st_size for each in plan.folder.iterdir()) / 1e6
    return f"{plan.clips:,} rows, {len(plan.classes)} classes, every file looked for; the plan has {size:.0f} MB"


STEPS = {
    "write": write,
    "list csv": lambda folder, _: listing(folder, "million.csv"),
    "list parquet": lambda folder, _: listing(folder, "million.parquet"),
    "first": lambda folder, _: extract(folder, "million.csv", decoded=True, first=True),
    "decoded": lambda folder, _: extract(folder, "decoded.csv", decoded=True),
    "extract": lambda folder, _: extract(folder, "million.csv", decoded=False),
}


def main() -> None:
    """Run the steps one by one, each in a process of its own; or one step in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--decoded", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--step", choices=tuple(STEPS))
    flags = parser.parse_args()
    if flags.step:
        words = STEPS[flags.step](flags.folder, flags)
        print(f"{flags.step}: {used()[0]:.0f} s | {used()[1]:.2f} GB | {words}")
        return
    flags.folder.mkdir(exist_ok=True)
    print(f"## A manifest of {flags.rows:,} clips, with a stand-in for the backbone\n")
    print("| step | on the clock | processor time | peak memory | what |\n|:--|--:|--:|--:|:--|")
    for step in STEPS:
        started = time.perf_counter()
        words = subprocess.run(
            [sys.executable, *sys.argv, "--step", step], stdout=subprocess.PIPE, text=True, check=True
        )
        said = next(line for line in words.stdout.splitlines() if line.startswith(f"{step}: ")).partition(": ")[2]
        print(f"| {step} | {time.perf_counter() - started:.0f} s | {said} |", flush=True)


if __name__ == "__main__":
    main()
