"""What a background is worth: clips of the classes, of the background's classes and of others, on recordings of ESC-50.

    python tests/benchmarks/background.py --root DIR [--draws N] [--backbone NAME] [--method NAME]

A draw has five classes with five clips each, a background of four clips of each of three classes, and foreign classes:
the others, of which nothing is learnt. Measured are 15 other clips of each class. Printed are the means over draws of
the shares of clips of the classes that are answered rightly (the most probable class is theirs) and named, and of all
clips that are given no class: of the classes, of the background's classes and of foreign classes.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgcl import FewShotClassifier
from mgcl.classifier import embedding, learning
from mgcl.classifier.learner import Learner
from mgcl.classifier.model import Examples, Model
from mgcl.data import esc50
from mgcl.data.dataset import AudioFile
from mgcl.errors import MgclWarning

CLASSES, SHOTS, BACKGROUND, NEW = 5, 5, 3, 15
KINDS = {
    "none of these": {"reject_rate": 0.1, "multi_label": False, "background": False},
    "none of these, background": {"reject_rate": 0.1, "multi_label": False, "background": True},
    "several labels": {"reject_rate": None, "multi_label": True, "background": False},
    "several labels, background": {"reject_rate": None, "multi_label": True, "background": True},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--backbone", default="efficientat")
    parser.add_argument("--method", default="multi_grained_kernel")
    flags = parser.parse_args()
    warnings.simplefilter("ignore", MgclWarning)
    bank = _embedded(esc50.read(flags.root).files, flags.backbone)
    found: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in KINDS}
    for draw in range(flags.draws):
        random = np.random.default_rng([5, draw])
        labels = random.permutation(sorted(set(bank.labels)))
        rows = {label: random.permutation(np.flatnonzero(np.array(bank.labels) == label)) for label in labels}
        for kind, options in KINDS.items():
            found[kind].append(_figures(bank, rows, flags, **options))
    print("right and named, given no class: of the classes, of the background's classes, of foreign classes (%)")
    for kind, figures in found.items():
        print(f"{kind}:", *(f"{100 * each:.1f}" for each in np.mean(figures, 0)))


def _embedded(files: Sequence[AudioFile], backbone: str) -> Examples:
    reader = FewShotClassifier(backbone)
    sounds = [reader.sound(file.path) for file in files]
    loaded = embedding.loaded_backbone(backbone, None, "cpu")
    return learning.embedded_examples(sounds, [(file.label,) for file in files], loaded, None, None)


def _figures(
    bank: Examples, rows: dict[str, np.ndarray], flags: argparse.Namespace, *, background: bool, **options: object
) -> tuple[float, ...]:
    labels = list(rows)
    known, noise, foreign = labels[:CLASSES], labels[CLASSES : CLASSES + BACKGROUND], labels[CLASSES + BACKGROUND :]
    examples = bank.picked(np.concatenate([rows[label][:SHOTS] for label in known]))
    loaded = embedding.loaded_backbone(flags.backbone, None, "cpu")
    classes = learning.described_classes(examples.labels, None, loaded, None)
    if background:
        others = bank.picked(np.concatenate([rows[label][:4] for label in noise]))
        examples += Examples(others.clips, others.names, others.digests, None, (None,) * len(others.labels))
    model = learning.fit(
        examples,
        classes,
        Learner.named(flags.method, {}),
        logit_scale=loaded.logit_scale,
        choices=None,
        seed=0,
        **options,
    )
    of = {
        name: [_answers(model, bank.picked(rows[label][-NEW:])) for label in group]
        for name, group in (("known", known), ("noise", noise), ("foreign", foreign))
    }
    right = [named & (best == label) for label, (named, best) in zip(known, of["known"], strict=True)]
    away = [1 - np.mean([named for named, _ in answered]) for answered in of.values()]
    return (float(np.mean(right)), *map(float, away))


def _answers(model: Model, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Whether each clip is given a class, and its most probable one."""
    logits = model.logits(examples.clips)
    shares = model.probabilities(logits)
    named = model.is_known(logits)
    if model.several is not None:
        named = (shares >= np.array(model.several.thresholds)).any(1)
    return named, np.array(model.classes.labels)[shares.argmax(1)]


if __name__ == "__main__":
    main()
