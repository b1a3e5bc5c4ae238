"""Windows, hops, thresholds, gaps and lengths of detection, on recordings of the soundscapes' development classes.

    python tests/benchmarks/detection_defaults.py [--draws N] [--backbone NAME]

A draw has five classes: a recording of 200 s to learn from, with five events per class and five stretches of
background, and two to measure on: dense, 200 s with 20 events, and sparse, 600 s with 33. Printed is the mean event F1
(collar 0.5 s, with offsets) on dense and on sparse recordings, and how many events are found for each that is there: of
the defaults, of each window and hop at its best other settings, and of the best settings.
"""

import argparse
import itertools
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from mgcl import FewShotClassifier
from mgcl.classifier.detection import Thresholds, cell_edges, detections
from mgcl.classifier.detector import BACKGROUND, GAP, HOP, SHORTEST, WINDOW, learnt_thresholds
from mgcl.classifier.given import Stretch
from mgcl.data.soundscapes.recipes import class_recipes
from tests.benchmarks.recordings import background, f1, write_recording

WINDOWS = ((1, 0.5), (2, 0.5), (1, 0.25), (5, 0.5))
SETTINGS = tuple(itertools.product(("learnt", 0.5, 0.7, 0.9), (0.5, 0.7, 1.0), (0.0, 0.5, 1.0), (0.0, 0.3, 0.6, 0.9)))
"""Threshold ``on``, ``off`` as a share of it, least gap and least length in seconds."""
DEFAULTS = (WINDOW, HOP, "learnt", 1.0, GAP, SHORTEST)
SECONDS = 200.0
MEASURED = {"dense": (SECONDS, 20), "sparse": (600.0, 33)}


class Found(NamedTuple):
    """What settings find in a recording."""

    f1: float
    per_event: float
    """Number of found events over that of true ones."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--backbone", default="tiny")
    flags = parser.parse_args()
    found: dict[tuple, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
    with TemporaryDirectory() as folder:
        for draw in range(flags.draws):
            _measure(Path(folder), draw, flags.backbone, found)
    ranked = sorted(found, key=lambda key: -np.mean([each.f1 for some in found[key].values() for each in some]))
    best = [next(key for key in ranked if key[:2] == each) for each in WINDOWS]
    print("window, hop, on, off / on, gap, shortest: F1 % and events found for each, dense, sparse")
    for key in [DEFAULTS, "", *best, "", *ranked[:10]]:
        means = (np.mean(found[key][kind], axis=0) for kind in MEASURED) if key else ()
        print(*key, *(f"{100 * f1:.1f} {per_event:.2f}" for f1, per_event in means))


def _measure(folder: Path, draw: int, backbone: str, found: dict[tuple, dict[str, list[Found]]]) -> None:
    random, recipes = np.random.default_rng([7, draw]), class_recipes("development")
    drawn = [recipes[row] for row in random.permutation(len(recipes))[:5]]
    known = write_recording(folder / "known.wav", drawn, events=25, seconds=SECONDS, random=random)
    known += background(known, SECONDS, 5)
    clips = [Stretch(folder / "known.wav", each.onset, each.offset) for each in known]
    classifier = FewShotClassifier(backbone).fit(clips, [each.label for each in known])
    learnt = learnt_thresholds(classifier.model_)
    columns = {str(label): row for row, label in enumerate(classifier.classes_) if label != BACKGROUND}
    for kind, (seconds, count) in MEASURED.items():
        true = write_recording(folder / "new.wav", drawn, events=count, seconds=seconds, random=random)
        for window, hop in WINDOWS:
            answers = list(classifier.windows(folder / "new.wav", every=hop, length=window))
            rows = np.array([list(each.probabilities.values()) for each in answers], np.float32)
            edges = cell_edges([each.start for each in answers], [each.stop for each in answers])
            for on, off, gap, shortest in SETTINGS:
                starts = {label: learnt[label] if on == "learnt" else on for label in columns}
                thresholds = {label: Thresholds(start, off * start) for label, start in starts.items()}
                events = detections(edges, rows[:, [*columns.values()]], thresholds, shortest=shortest, gap=gap)
                figures = Found(f1(events, true), len(events) / len(true))
                found[window, hop, on, off, gap, shortest][kind].append(figures)


if __name__ == "__main__":
    main()
