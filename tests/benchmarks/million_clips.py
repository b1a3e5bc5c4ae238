"""A manifest of a million clips: what listing it, embedding it into shards, and sealing take in time and in memory.

    python tests/benchmarks/million_clips.py DIR [--rows N] [--decoded N] [--files N]

The manifest has clips of one second, of 500 classes, at places in generated wav files of 8 kHz. A stand-in replaces the
backbone: 4 segments, d = 64. Each step is a process of its own with its peak memory. Shards are embedded in another
process, as by an actor, so that ``extract`` has the driver's memory alone. Three extractions are made:

- ``decoded``, the first N rows, whole: every clip is decoded, resampled and described by mel statistics;
- ``first``, all rows, stopped when the first shard is complete;
- ``extract``, all rows, with drawn vectors instead of decoding. Listing, shards, sealing and the bank are real.

``DIR/bank`` remains, for ``python tests/benchmarks/million.py DIR --step open|trial|sweep|check``.
"""

import argparse
import multiprocessing
import os
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
from mgcl.extraction.embedding import Embedded
from mgcl.extraction.plan import Shard
from mgcl.extraction.streamed import extract_streamed_by, texts_of
from mgcl.extraction.streamed_plan import plan_of
from mgcl.extraction.streamed_workbench import StreamedWorkbench
from mgcl.language.explanations import from_templates

CLASSES, SEGMENTS, D, RATE, LONG = 500, 4, 64, 8000, 20


def embed_audio(waveforms: torch.Tensor) -> AudioFeatures:
    """Levels of the quarters of a clip, shifted: it differs from clip to clip, and takes no time."""
    levels = waveforms.reshape(len(waveforms), SEGMENTS, -1).abs().mean(-1, keepdim=True)
    segments = levels + torch.arange(D) / D
    return AudioFeatures(segments, segments.mean(1))


def embed_text(sentences: list[str]) -> torch.Tensor:
    """Drawn vectors, one per sentence."""
    seeds = (torch.Generator().manual_seed(int.from_bytes(each.encode()[-7:])) for each in sentences)
    return torch.stack([torch.randn(D, generator=seed) for seed in seeds])


BACKBONE = SimpleNamespace(
    name="levels", fingerprint="0", embedding_dim=D, logit_scale=30.0, sample_rate=RATE, seconds=1.0, segments=SEGMENTS,
    segment_seconds=1 / SEGMENTS, captions=(), embed_audio=embed_audio, embed_text=embed_text,
)  # fmt: skip


def drawn(clips: list[Any], *_: object) -> Embedded:
    """Vectors of clips that nobody decodes, around a centre per class."""
    random = np.random.default_rng(len(clips[0].clip_id))
    classes = np.array([int(Path(clip.path).stem) % CLASSES for clip in clips])
    centres = np.random.default_rng(1).standard_normal((CLASSES, 1, D), np.float32)
    segments = centres[classes] + 6 * random.standard_normal((len(clips), SEGMENTS, D), np.float32)
    statistics = np.zeros((len(clips), 65), np.float32)
    return Embedded(tuple(clip.clip_id for clip in clips), segments.mean(1), segments, statistics, {})


def finish(bench: StreamedWorkbench, *, decoded: bool) -> None:
    """Finish a shard, as an actor does."""
    stand_ins = {} if decoded else {"embed_clips": drawn, "seconds_of": lambda _: 1.0}
    torch.set_num_threads(1)
    with (
        patch.multiple(streamed_workbench, **stand_ins) if stand_ins else ThreadPoolExecutor(1),
        ThreadPoolExecutor(2) as decoders,
        threadpool_limits(1, user_api="blas"),
    ):
        for shard in bench.shards:
            bench.finish(shard, BACKBONE, decoders)


class FirstShard(Exception):  # noqa: N818
    """The first shard of clips is complete."""


def extract(folder: Path, manifest: str, *, decoded: bool, first: bool = False) -> str:
    """Extract the bank of a manifest, with another process for the shards."""
    started, ready = time.perf_counter(), {}

    def run(bench: StreamedWorkbench) -> Iterator[Shard]:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            for shard in bench.todo:
                pool.apply(finish, (bench.only([shard]),), {"decoded": decoded})
                yield shard
                if shard.rows and not ready:
                    ready["first"] = time.perf_counter() - started
                    if first:
                        raise FirstShard

    source = streamed(f"manifest:{folder / manifest}", None)
    assert source is not None
    out = folder / "bank" if not first and not decoded else folder / f"bank-{'first' if first else 'decoded'}"
    plan = plan_of(source, out)
    listed = time.perf_counter() - started
    texts = texts_of(plan, source.about, facts(BACKBONE), from_templates(plan.classes))
    try:
        bank = extract_streamed_by(run, plan, source.about, facts(BACKBONE), out, texts, half=not decoded)
    except FirstShard:
        return f"listing {listed:.1f} s, first shard complete after {ready['first']:.1f} s"
    whole = time.perf_counter() - started
    return (
        f"{plan.clips:,} clips, {len(bank.shards)} shards; listing {listed:.1f} s, first shard after "
        f"{ready['first']:.1f} s, {plan.clips / (whole - listed):.0f} clips/s after listing"
    )


def write(folder: Path, flags: argparse.Namespace) -> str:
    """Write the wav files and the manifests."""
    (folder / "wav").mkdir()
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
    parser.add_argument("--decoded", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--step", choices=tuple(STEPS))
    flags = parser.parse_args()
    if flags.step:
        print(f"{flags.step}: {STEPS[flags.step](flags.folder, flags)}")
        return
    flags.folder.mkdir()
    print(f"## A manifest of {flags.rows:,} clips, a stand-in backbone of {SEGMENTS} segments, d = {D}\n")
    print("| step | time | peak memory of the driver | what |\n|:--|--:|--:|:--|")
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


if __name__ == "__main__":
    main()
