"""A small folder in the layout of the published audio-visual features, in real class names."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

PARTS = {
    "stage_1_base_train": ["ApplyEyeMakeup", "CleanAndJerk"],
    "stage_1_novel_train": ["BoxingSpeedBag"],
    "stage_2_novel_train": ["TableTennisShot"],
}
MANUAL = {
    "ApplyEyeMakeup": "Apply Eye Makeup",
    "BoxingSpeedBag": "Speed Bag",
    "CleanAndJerk": "Weight Lifting",
    "TableTennisShot": "Table Tennis Shot",
}
CLIPS = {
    "stage_1_train_base": {"ApplyEyeMakeup": ["a1", "a2", "a3"], "CleanAndJerk": ["c1", "c2"]},
    "stage_1_train_novel": {"boxingspeedbag": ["b1", "b2"]},
    "stage_1_val_seen": {"ApplyEyeMakeup": ["a4"], "CleanAndJerk": ["c3"]},
    "stage_1_val_novel": {"BoxingSpeedBag": ["b3", "b4", "b5"]},
    "stage_2_test_seen": {"ApplyEyeMakeup": ["a5"], "CleanAndJerk": ["c4"], "BoxingSpeedBag": ["b6"]},
    "stage_2_train_novel": {"TableTennisShot": ["t1"]},
    "stage_2_train_novel_1": {"TableTennisShot": ["t2"]},
    "stage_2_train_novel_2": {"TableTennisShot": ["t1"]},
    "stage_2_test_novel": {"TableTennisShot": ["t2", "t3", "t4"]},
    "stage_2_test_novel_1": {"TableTennisShot": ["t1", "t3", "t4"]},
    "stage_2_test_novel_2": {"TableTennisShot": ["t2", "t3", "t4"]},
}
"""Folder -> name of a class's file -> clips. The second draw of shots differs from the first, the third does not."""

Clips = Mapping[str, Mapping[str, Sequence[str]]]


def features_of(clip: str, size: int, tokens: int = 2) -> np.ndarray:
    """Features that tell which clip they are of."""
    first = sum(map(ord, clip))
    return (first + np.arange(tokens * size, dtype=np.float32)).reshape(tokens, size)


def write_folder(
    path: Path,
    *,
    clips: Clips = CLIPS,
    parts: Mapping[str, Sequence[str]] = PARTS,
    manual: Mapping[str, str] = MANUAL,
    shot: int = 1,
    sizes: tuple[int, int] = (3, 4),
    tokens: int = 2,
) -> Path:
    """Write the folder; word vectors are the row of a name in the alphabet of manual names, on a circle."""
    features, lists = path / "features" / f"{shot}-shot", path / "class-split" / f"{shot}-shot"
    lists.mkdir(parents=True)
    for name, classes in parts.items():
        (lists / f"{name}.txt").write_text("".join(f"{label}\n" for label in classes))
    names = sorted(manual.values())
    angles = np.linspace(0, 3, len(names))
    words = {name: np.array([np.cos(a), np.sin(a)], np.float32) for name, a in zip(names, angles, strict=True)}
    (features / "text").mkdir(parents=True)
    np.save(features / "text" / "word_embeddings_ucf_normed.npy", words, allow_pickle=True)
    rows = "".join(f"{original},{other}\n" for original, other in manual.items())
    (path / "class-split" / "ucf_w2v_class_names.csv").write_text(f"original,manual\n{rows}")
    for folder, files in clips.items():
        for modality, size in zip(("audio", "video"), sizes, strict=True):
            (features / modality / folder).mkdir(parents=True)
            for label, named in files.items():
                content = {
                    "features": [features_of(clip, size, tokens) for clip in named],
                    "video_names": list(named),
                    "fps": [25.0] * len(named),
                }
                with (features / modality / folder / f"{label}.pkl").open("wb") as file:
                    pickle.dump(content, file)
    return path
