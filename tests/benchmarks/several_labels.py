"""Several labels per clip: one fit per class against one fit of all, on mixtures of recordings in the layout of ESC-50.

    python tests/benchmarks/several_labels.py --root DIR [--draws N] [--backbone NAME]

A draw has five classes, and 25 mixtures of one or two of their recordings to learn from. Measured are 60 mixtures of
other recordings. Printed is per method the mean over draws of: mAP of one fit per class; mAP of one fit in which a
clip stands once for each of its labels; micro F1 at 0.5 and at the learnt thresholds; calibration error of the
probabilities (15 bins, over clips and classes).
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mgcl import FewShotClassifier
from mgcl.classifier import embedding
from mgcl.data import esc50
from mgcl.errors import MgclWarning
from mgcl.metrics.counts import f1
from mgcl.metrics.ranking import average_precision, mean_over_classes

CLASSES, LEARNT, NEW = 5, 25, 60
METHODS = ("multi_grained_kernel", "proker", "cross_modal_probe")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--backbone", default="efficientat")
    flags = parser.parse_args()
    warnings.simplefilter("ignore", MgclWarning)
    files = esc50.read(flags.root).files
    rate = embedding.loaded_backbone(flags.backbone, None, "cpu").sample_rate
    found = {method: [] for method in METHODS}
    for draw in range(flags.draws):
        random = np.random.default_rng([11, draw])
        classes = sorted(random.permutation(sorted({file.label for file in files}))[:CLASSES])
        paths = {label: random.permutation([file.path for file in files if file.label == label]) for label in classes}
        known = _mixtures({label: own[: len(own) // 2] for label, own in paths.items()}, LEARNT, rate, random)
        new = _mixtures({label: own[len(own) // 2 :] for label, own in paths.items()}, NEW, rate, random)
        for method in METHODS:
            found[method].append(_figures(known, new, flags.backbone, method))
    print("method: mAP one fit per class, mAP one fit, F1 at 0.5, F1 at learnt thresholds, calibration error (all %)")
    for method, figures in found.items():
        print(method, *(f"{100 * each:.1f}" for each in np.mean(figures, 0)))


def _mixtures(paths, count: int, rate: int, random: np.random.Generator):
    """Pairs of clips and their label sets: every label of the first clips alone, so that each class has one."""
    clips, labels = [], []
    for number in range(count):
        own = random.permutation(sorted(paths))[: random.integers(1, 3)]
        own = own if number >= len(paths) else [sorted(paths)[number]]
        sounds = []
        for label in own:
            samples, given = soundfile.read(random.choice(paths[label]), dtype="float32")
            sounds.append(soxr.resample(samples, given, rate) / max(np.sqrt(np.mean(samples**2)), 1e-4) * 0.05)
        shortest = min(map(len, sounds))
        clips.append((np.sum([each[:shortest] for each in sounds], 0).astype(np.float32), rate))
        labels.append([str(label) for label in own])
    return clips, labels


def _figures(known, new, backbone: str, method: str) -> tuple[float, ...]:
    classifier = FewShotClassifier(backbone, method=method, multi_label=True).fit(*known)
    truth = np.array([[label in own for label in classifier.classes_] for own in new[1]])
    shares = classifier.predict_proba(new[0])
    model = classifier.model_
    together = model.learner.predict(model.learner.fit(model.support), _features(classifier, new[0])).logits.numpy()
    named = [shares >= 0.5, shares >= classifier.thresholds_]
    bins = np.minimum((shares * 15).astype(int), 14).ravel()
    gap = np.abs(np.bincount(bins, (shares - truth).ravel(), minlength=15)).sum() / truth.size
    return (
        *(float(mean_over_classes(average_precision(each, truth))[0]) for each in (shares, together)),
        *(float(f1((each & truth).sum(), (each & ~truth).sum(), (~each & truth).sum())) for each in named),
        float(gap),
    )


def _features(classifier: FewShotClassifier, clips):
    parts = [embedding.embedded([classifier.sound(clip)], classifier._backbone, None, None)[0] for clip in clips]
    return embedding.joined(parts)


if __name__ == "__main__":
    main()
