"""A generated audio-visual bank, for tests: classes differ by sound, by sight, or by which of the two comes first.

A class is a triple (sound, sight, order). Its sound's vectors stand in one half of the clip and its sight's in the
other; the other halves hold background. So no row that sees one modality, or no time, can tell all classes apart. Words
of sound and sight make the word vector. The numbers are drawn: figures on them say nothing about videos.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.writer import write_bank

PARTS = ("base", "novel-validation", "novel-test")
SPLITS = ("train", "validation", "test")
STEPS = {"audio": 0.96, "video": 0.64}


@dataclass(frozen=True)
class Sizes:
    """Numbers of classes per part, and of clips per class and split."""

    classes: tuple[int, int, int] = (8, 4, 4)
    train: int = 8
    validation: int = 4
    test: int = 4
    audio: int = 12
    video: int = 10
    word: int = 16
    noise: float = 0.6


def write_generated_audio_visual_bank(path: Path, sizes: Sizes = Sizes(), *, seed: int = 0) -> FeatureBank:
    """Write a bank; classes are named "sound, sight" or "sight, sound", by what comes first."""
    random = np.random.default_rng(seed)

    def drawn(count: int, dim: int) -> np.ndarray:
        vectors = random.standard_normal((count, dim))
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    count = sum(sizes.classes)
    half = int(np.ceil((count / 2) ** 0.5))
    triples = list(product(range(half), range(half), range(2)))[:count]
    triples = [triples[index] for index in random.permutation(count)]
    names = [f"sound {a}, sight {v}" if first else f"sight {v}, sound {a}" for a, v, first in triples]
    sounds, sights = drawn(half + 1, sizes.audio), drawn(half + 1, sizes.video)
    words = drawn(half, sizes.word), drawn(half, sizes.word)
    parts = np.repeat(PARTS, sizes.classes).tolist()
    splits = np.repeat(SPLITS, (sizes.train, sizes.validation, sizes.test)).tolist()
    clips: dict[str, list] = {name: [] for name in ("clip_id", "label", "split", "audio", "video")}
    for (sound, sight, first), label in zip(triples, names, strict=True):
        for index, split in enumerate(splits):
            seconds = random.uniform(4.8, 9.6)
            clips["clip_id"].append(f"{label} {index:03}")
            clips["label"].append(label)
            clips["split"].append(split)
            for name, vectors, which, early in (("audio", sounds, sound, first), ("video", sights, sight, not first)):
                length = int(seconds / STEPS[name])
                begins = np.arange(length) < length // 2
                there = np.where((begins == bool(early))[:, None], vectors[which], vectors[-1])
                noise = random.standard_normal(there.shape) * sizes.noise / there.shape[-1] ** 0.5
                clips[name].append((there + noise).astype(np.float32))
    vectors = np.array([words[0][a] * (1 if f else 0.7) + words[1][v] * (0.7 if f else 1) for a, v, f in triples])
    return write_bank(
        path,
        Header(
            "generated",
            str(seed),
            "CC0-1.0",
            "drawn",
            tokens={"audio": Tokens(STEPS["audio"]), "video": Tokens(STEPS["video"])},
        ),
        {**clips, "audio": Ragged.of(clips["audio"]), "video": Ragged.of(clips["video"])},
        {
            "label": names,
            "word_vector": (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32),
            "part": parts,
        },
    )
