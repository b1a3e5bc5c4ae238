"""An hour with 200 events of five classes, learnt from five annotated examples per class: F1, time, memory."""

import resource
import sys

import pytest
import torch

from mgcl import FewShotClassifier
from mgcl.classifier.detector import BACKGROUND, Rules, chosen_thresholds, detect
from mgcl.classifier.given import Stretch
from mgcl.data.soundscapes.recipes import class_recipes
from mgcl.seeding import generator
from tests.benchmarks.recordings import background, f1, write_recording

CLASSES, SHOTS, EVENTS, SECONDS, ANNOTATED = 5, 5, 200, 3600.0, 240.0


def memory() -> float:
    """Greatest memory of this process so far, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


@pytest.mark.timeout(3600)
def test_events_of_an_hour(benchmark, tmp_path) -> None:
    """Evaluation classes: the defaults of detection were chosen on development classes."""
    random = generator("events of an hour")
    recipes = [class_recipes("evaluation")[row] for row in random.permutation(30)[:CLASSES]]
    small, long = tmp_path / "annotated.wav", tmp_path / "hour.wav"
    known = write_recording(small, recipes, events=CLASSES * SHOTS, seconds=ANNOTATED, random=random)
    true = write_recording(long, recipes, events=EVENTS, seconds=SECONDS, random=random)
    known += background(known, ANNOTATED, SHOTS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before = memory()

    def job() -> str:
        classifier = FewShotClassifier("tiny").fit(
            [Stretch(small, each.onset, each.offset) for each in known], [each.label for each in known]
        )
        thresholds = chosen_thresholds(classifier.model_, on={}, off={}, background=BACKGROUND)
        found = detect(classifier, long, Rules(thresholds)).events
        return (
            f"{len(found)} events found, {len(true)} there; F1 {100 * f1(found, true):.1f} % (collar 0.5 s; offset: "
            f"0.5 s or a fifth of the length), of onsets alone {100 * f1(found, true, offsets=False):.1f} %; memory "
            f"{memory() - before:.0f} MB above the imports and the recordings' generation"
        )

    benchmark.group = (
        f"an hour of recording, {EVENTS} events of {CLASSES} classes, {SHOTS} examples per class, one core"
    )
    benchmark.name = "mgcl: fit and detect, tiny"
    said = benchmark.pedantic(job, rounds=1)
    torch.set_num_threads(threads)
    benchmark.extra_info.update(scale=1, facts={"it": said})
