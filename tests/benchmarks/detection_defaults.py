"""Windows, hops, thresholds, gaps and lengths of detection, on recordings of the soundscapes' development classes.

    python tests/benchmarks/detection_defaults.py [--draws N]

A draw has five classes: a recording of 200 s to learn from, with five events per class and five stretches of
background, and one of 200 s with 20 events to measure on. Printed is the mean event F1 (collar 0.5 s, with offsets) of
each window and hop at its best other settings, then that of the best settings.
"""

import argparse
import itertools
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mgcl import FewShotClassifier
from mgcl.classifier.detection import Thresholds, cell_edges, detections
from mgcl.classifier.detector import BACKGROUND, learnt_thresholds
from mgcl.classifier.given import Stretch
from mgcl.data.soundscapes.recipes import class_recipes
from tests.benchmarks.recordings import background, f1, write_recording

WINDOWS = ((1, 0.5), (2, 0.5), (1, 0.25), (5, 0.5))
SETTINGS = tuple(itertools.product(("learnt", 0.5, 0.7), (0.3, 0.5, 0.7, 1.0), (0.0, 0.5, 1.0), (0.0, 0.3, 0.6)))
"""Threshold ``on``, ``off`` as a share of it, least gap and least length in seconds."""
SECONDS = 200.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=2)
    found: dict[tuple, list[float]] = defaultdict(list)
    with TemporaryDirectory() as folder:
        for draw in range(parser.parse_args().draws):
            _measure(Path(folder), draw, found)
    ranked = sorted(found, key=lambda key: -np.mean(found[key]))
    best = [next(key for key in ranked if key[:2] == each) for each in WINDOWS]
    print("window, hop, on, off / on, gap, shortest: F1 %")
    for key in [*best, "", *ranked[:15]]:
        print(*key, f"{100 * np.mean(found[key]):.1f}" if key else "")


def _measure(folder: Path, draw: int, found: dict[tuple, list[float]]) -> None:
    random, recipes = np.random.default_rng([7, draw]), class_recipes("development")
    drawn = [recipes[row] for row in random.permutation(len(recipes))[:5]]
    known = write_recording(folder / "known.wav", drawn, events=25, seconds=SECONDS, random=random)
    true = write_recording(folder / "new.wav", drawn, events=20, seconds=SECONDS, random=random)
    known += background(known, SECONDS, 5)
    clips = [Stretch(folder / "known.wav", each.onset, each.offset) for each in known]
    classifier = FewShotClassifier("tiny").fit(clips, [each.label for each in known])
    learnt = learnt_thresholds(classifier.model_)
    columns = {str(label): row for row, label in enumerate(classifier.classes_) if label != BACKGROUND}
    for window, hop in WINDOWS:
        answers = list(classifier.windows(folder / "new.wav", every=hop, length=window))
        shares = np.array([list(each.probabilities.values()) for each in answers], np.float32)[:, [*columns.values()]]
        edges = cell_edges([each.start for each in answers], [each.stop for each in answers])
        for on, off, gap, shortest in SETTINGS:
            starts = {label: learnt[label] if on == "learnt" else on for label in columns}
            thresholds = {label: Thresholds(start, off * start) for label, start in starts.items()}
            events = detections(edges, shares, thresholds, shortest=shortest, gap=gap)
            found[window, hop, on, off, gap, shortest].append(f1(events, true))


if __name__ == "__main__":
    main()
