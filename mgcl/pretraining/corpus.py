"""The training corpus of the tiny model: clips of training classes as log-mel spectrograms, and their captions."""

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
"""Version of the corpus. Increase it whenever the same seed gives other clips or captions."""


@dataclass(frozen=True)
class Corpus:
    """Clips and their captions.

    Attributes:
        log_mel: log-mel spectrograms, shape (clips, time, mels), float16.
        captions: several captions per clip, differently worded.
        named: whether a clip's class has a name, which half of its captions contain; one entry per clip.
    """

    log_mel: NDArray[np.float16]
    captions: list[list[str]]
    named: list[bool]


def build(folder: Path, *, clips: int, seed: int, workers: int) -> Corpus:
    """Generate a corpus in shards. Existing shards are reused.

    Args:
        folder: folder in which the corpus's own folder is made. Corpora of different sizes share it: a larger corpus
            begins with the smaller one.
        clips: number of clips; a multiple of 500 is cheapest.
        seed: seed of the corpus. A clip depends on the seed and the clip's index.
        workers: number of processes.
    """
    folder = folder / f"corpus-{VERSION}-seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(-(-clips // _SHARD))
    missing = [shard for shard in shards if not _shard(folder, shard).with_suffix(".json").exists()]
    if missing:
        # Forked processes would inherit torch's threads in an undefined state.
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
    """Yield all captions, repeated ones included."""
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
    """Draw a recipe of a training class; it has a name with probability 1/2."""
    pool = (class_recipes("training"), drawn_recipes("training"))[int(random.integers(2))]
    return pool[int(random.integers(len(pool)))]
