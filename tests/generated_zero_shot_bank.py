"""A small generated bank with several labels, events and captions per clip, for tests of the zero-shot tasks.

Every class is a direction. A segment is the sum of the directions of the classes that sound in it, and noise; a clip is
the mean of its segments; a caption is the sum of its clip's classes, and noise. The last class sounds in no clip.
"""

from pathlib import Path

import numpy as np

from mgcl.events import Event
from mgcl.features import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.header import Header
from mgcl.features.writer import write_bank
from mgcl.language.prompt_sets import PROMPT_SETS, prompt_of

CLASSES = ("dog", "rain", "siren", "door_knock", "unheard")
SECONDS = 8.0


def write_zero_shot_bank(
    path: Path, *, clips: int = 30, segments: int = 16, d: int = 12, noise: float = 0.5, seed: int = 0
) -> FeatureBank:
    """Write a bank whose clips have up to three events and one to three captions; one clip has no event."""
    random = np.random.default_rng(seed)
    classes = np.linalg.qr(random.standard_normal((d, d)))[0][: len(CLASSES)]
    events, sounding = [], np.zeros((clips, segments, len(CLASSES)))
    middle = (np.arange(segments) + 0.5) * SECONDS / segments
    for clip in range(clips):
        drawn = []
        for _ in range(0 if clip == 1 else random.integers(1, 4)):
            onset, of = random.uniform(0, SECONDS - 1), random.integers(len(CLASSES) - 1)
            offset = min(SECONDS, onset + random.uniform(0.5, 4))
            drawn.append(Event(round(onset, 3), round(offset, 3), CLASSES[of]))
            sounding[clip, (middle > onset) & (middle < offset), of] = 1
        events.append(sorted(drawn))
    number = random.integers(1, 4, clips)
    there = np.array([[label in {each.label for each in clip} for label in CLASSES] for clip in events], float)

    def near(vectors: np.ndarray) -> np.ndarray:
        return (vectors + noise * random.standard_normal(vectors.shape) / d**0.5).astype(np.float32)

    heard = near(sounding @ classes)
    sentences = {name: [prompt_of(name, label) for label in CLASSES] for name in PROMPT_SETS}
    return write_bank(
        path,
        Header("generated events", str(seed), "CC0-1.0", "drawn", d, 20.0, 16000, SECONDS, segments),
        {
            "clip_id": [f"clip_{clip:03}" for clip in range(clips)],
            "fold": [clip % 3 + 1 for clip in range(clips)],
            "labels": [sorted({each.label for each in clip}) for clip in events],
            "events": events,
            "clip_embedding": near(heard.mean(1)),
            "segment_embeddings": heard,
            "captions": [
                [f"{' and '.join(each.label for each in clip) or 'silence'}, {index}" for index in range(number[row])]
                for row, clip in enumerate(events)
            ],
            "caption_embeddings": Ragged.of(
                [near(np.repeat(each[None] @ classes, count, 0)) for each, count in zip(there, number, strict=True)]
            ),
        },
        {
            "label": CLASSES,
            "prompt": [f"the sound of {label}" for label in CLASSES],
            "prompt_embedding": near(classes),
            "explanations": [[f"{label} is heard", f"{label} sounds"] for label in CLASSES],
            "explanation_embeddings": near(np.stack([classes, classes], axis=1)),
            **{f"{name}_prompt": each for name, each in sentences.items()},
            **{f"{name}_prompt_embedding": near(classes) for name in sentences},
        },
    )


def write_phrase_bank(path: Path, bank: FeatureBank) -> FeatureBank:
    """Write a bank of queries: each clip of such a bank asks for one phrase, and has the events of that phrase."""
    rows = [row for row, events in enumerate(bank.events) if events]
    labels = [bank.events[row][row % len(bank.events[row])].label for row in rows]
    events = [[e for e in bank.events[row] if e.label == label] for row, label in zip(rows, labels, strict=True)]
    recordings = [f"recording_{row // 2}" for row in rows]
    clips = {"clip_id": [f"query_{row}" for row in rows], "label": labels, "events": events, "source": recordings}
    vectors = {"clip_embedding": bank.clip_embeddings[rows], "segment_embeddings": bank.segment_embeddings[rows]}
    classes = {name: bank.classes[name].to_pylist() for name in ("label", "prompt", "explanations")}
    classes |= {"prompt_embedding": bank.prompt_embeddings, "explanation_embeddings": bank.explanation_embeddings}
    return write_bank(path, bank.header, clips | vectors, classes)
