"""A generated feature bank: class-conditional segments with text rows, for tests and for a first look.

    python tests/generated_bank.py DIR

Each class owns three "events", directions in the embedding space. A clip's segments are events of its class among
background that all classes share; explanations lie near the events, captions near those that sounded, prompts
near the class's mean. The numbers are drawn, not recorded: accuracies on it say nothing about sound.
"""

import sys
from pathlib import Path

import numpy as np

from mgcl.errors import run_and_exit
from mgcl.features import FeatureBank
from mgcl.features.header import Header
from mgcl.features.shards import write_shard
from mgcl.features.writer import seal, write_bank


def write_generated_bank(
    path: Path, *, classes: int = 12, clips: int = 40, segments: int = 8, d: int = 48, seed: int = 0
) -> FeatureBank:
    """Write a bank of ``classes`` x ``clips`` clips; two clips that follow each other share a recording."""
    random = np.random.default_rng(seed)

    def near(centre: np.ndarray, noise: float) -> np.ndarray:
        return (centre + noise * random.standard_normal(centre.shape) / d**0.5).astype(np.float32)

    events = random.standard_normal((classes, 3, d)) / d**0.5
    background = random.standard_normal((4, d)) / d**0.5
    labels = np.repeat(np.arange(classes), clips)
    sounding = random.random((len(labels), segments)) < 0.35
    which = random.integers(3, size=sounding.shape)
    heard = np.where(
        sounding[..., None], events[labels[:, None], which], background[random.integers(4, size=which.shape)]
    )
    segment_embeddings = near(heard, 1.1)
    described = events[labels, which[:, 0]]
    names = [f"class_{index:02}" for index in range(classes)]
    return write_bank(
        path,
        Header("generated", str(seed), "CC0-1.0", "drawn", d, 30.0, 16000, 5.0, segments),
        {
            "clip_id": [f"clip_{index:04}" for index in range(len(labels))],
            "label": [names[label] for label in labels],
            "caption": [f"event {first} among background" for first in which[:, 0]],
            "source": [f"recording_{index // 2:04}" for index in range(len(labels))],
            "clip_embedding": near(segment_embeddings.mean(1), 0.1),
            "caption_embedding": near(described, 1.6),
            "segment_embeddings": segment_embeddings,
        },
        {
            "label": names,
            "prompt": [f"the sound of {name}" for name in names],
            "prompt_embedding": near(events.mean(1), 0.5),
            "explanations": [[f"{name} sounds like event {index % 3}" for index in range(8)] for name in names],
            "explanation_embeddings": near(events[:, np.arange(8) % 3], 0.8),
        },
    )


def write_generated_shards(path: Path, *, shards: int = 2, **sizes: int) -> FeatureBank:
    """Write a generated bank (``write_generated_bank``) in shards, with its segments in float16."""
    whole = write_generated_bank(path.with_name(f"{path.name} whole"), **sizes)
    draft = path.with_name(f"{path.name} draft")
    draft.mkdir()
    names = ("clip_id", "label", "caption", "source")
    vectors = {
        "clip_embedding": np.asarray(whole.clip_embeddings),
        "caption_embedding": np.asarray(whole.caption_embeddings),
        "segment_embeddings": np.asarray(whole.segment_embeddings).astype(np.float16),
    }
    for number, rows in enumerate(np.array_split(np.arange(len(whole.clips)), shards)):
        texts = {name: whole.clips[name].take(rows).to_pylist() for name in names}
        write_shard(draft, number, whole.header, {**texts, **{name: each[rows] for name, each in vectors.items()}})
    classes = {
        "label": whole.classes["label"].to_pylist(),
        "prompt": whole.classes["prompt"].to_pylist(),
        "prompt_embedding": whole.prompt_embeddings,
        "explanations": whole.classes["explanations"].to_pylist(),
        "explanation_embeddings": whole.explanation_embeddings,
    }
    return seal(draft, path, whole.header, classes)


def _main() -> int:
    if len(sys.argv) != 2:
        print("usage: python tests/generated_bank.py DIR", file=sys.stderr)
        return 2
    bank = write_generated_bank(Path(sys.argv[1]))
    print(f"{bank.path}: {bank.clips.num_rows} clips, {bank.classes.num_rows} classes, digest {bank.digest[:16]}")
    return 0


if __name__ == "__main__":
    run_and_exit(_main)
