"""What the tiny model is trained on: clips of training classes as log-mel spectrograms, and sentences on them."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.backbones._log_mel import log_mel
from mgcl.data.soundscapes.descriptions import describe
from mgcl.data.soundscapes.recipes import Recipe, class_recipes, drawn_recipes
from mgcl.data.soundscapes.scene import compose
from mgcl.files import replacing
from mgcl.progress import Bar
from mgcl.seeding import generator

_SHARD = 500
_CAPTIONS = 4
VERSION = 1
"""Raised whenever the same seed gives other clips or sentences."""


@dataclass(frozen=True)
class Corpus:
    """Clips and their sentences.

    Attributes:
        log_mel: shape (clips, time, mels), float16.
        captions: for each clip, several ways to say what is heard in it.
        named: for each clip, whether its class has a name, which half of its captions tell.
    """

    log_mel: NDArray[np.float16]
    captions: list[list[str]]
    named: list[bool]


def build(folder: Path, *, clips: int, seed: int, workers: int) -> Corpus:
    """Generate a corpus in shards; shards that are there already are kept.

    Args:
        folder: where it goes; one corpus, whatever ``clips`` is: a larger one begins with the smaller.
        clips: a multiple of 500 is cheapest.
        seed: of every clip, with its index.
        workers: processes.
    """
    folder = folder / f"corpus-{VERSION}-seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(-(-clips // _SHARD))
    missing = [shard for shard in shards if not _shard(folder, shard).with_suffix(".json").exists()]
    if missing:
        # Forked children would inherit torch's threads in whatever state they are.
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            jobs = pool.map(_write_shard, [folder] * len(missing), missing, [seed] * len(missing))
            for _ in Bar(jobs, total=len(missing), desc="generating clips", unit_scale=_SHARD, unit="clip"):
                pass
    content = [json.loads(_shard(folder, shard).with_suffix(".json").read_text(encoding="utf-8")) for shard in shards]
    spectrograms = np.concatenate([np.load(_shard(folder, shard).with_suffix(".npy")) for shard in shards])
    return Corpus(
        spectrograms[:clips],
        [each for shard in content for each in shard["captions"]][:clips],
        [each for shard in content for each in shard["named"]][:clips],
    )


def texts(corpus: Corpus) -> Iterator[str]:
    """Every caption, once for each time it is written."""
    for captions in corpus.captions:
        yield from captions


def _shard(folder: Path, index: int) -> Path:
    return folder / f"{index:05}"


def _write_shard(folder: Path, index: int, seed: int) -> None:
    scenes, captions, named = [], [], []
    for clip in range(index * _SHARD, (index + 1) * _SHARD):
        random = generator("corpus", VERSION, seed, clip)
        scene = compose(_draw_recipe(random), drawn_recipes("training"), random)
        scenes.append(torch.from_numpy(scene.waveform))
        captions.append([describe(scene, random) for _ in range(_CAPTIONS)])
        named.append(bool(scene.layer.recipe.label))
    spectrograms = torch.cat([log_mel(torch.stack(scenes[start : start + 50])) for start in range(0, _SHARD, 50)])
    path = _shard(folder, index)
    for suffix, write in (
        (".npy", lambda file: np.save(file, spectrograms.numpy().astype(np.float16))),
        (".json", lambda file: file.write(json.dumps({"captions": captions, "named": named}).encode())),
    ):
        with replacing(path.with_suffix(suffix)) as draft, draft.open("wb") as stream:
            write(stream)


def _draw_recipe(random: np.random.Generator) -> Recipe:
    """Half of them have a name."""
    pool = (class_recipes("training"), drawn_recipes("training"))[int(random.integers(2))]
    return pool[int(random.integers(len(pool)))]
