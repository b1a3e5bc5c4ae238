"""What detection costs with many clips and classes: drawn scores and events, at AudioSet-Strong's density of classes.

    python tests/benchmarks/detection_cost.py --clips N --classes C

Printed are, for both PSDS and for collars: seconds to count all thresholds, rows of counts, and seconds of the
jackknife; and the peak memory. Seconds and rows grow with clips x classes; the jackknife has fewer units where it would
take hours.
"""

import argparse
import resource
import time
from functools import partial

import numpy as np

from mgcl.events import Event
from mgcl.metrics.detection import collar_changes, joined, median_filtered, overlap_changes
from mgcl.metrics.jackknife import affordable, jackknife
from mgcl.metrics.matching import Collars
from mgcl.metrics.psds import PSDS1, PSDS2, psds

SECONDS, FRAMES, SOUNDING = 10.0, 32, 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--classes", type=int, default=100)
    flags = parser.parse_args()
    random = np.random.default_rng(0)
    classes = [f"class {number:03}" for number in range(flags.classes)]
    events = [drawn(random, classes) for _ in range(flags.clips)]
    scores = median_filtered(random.normal(size=(flags.clips, FRAMES, flags.classes)), 3)
    edges, seconds = np.linspace(0, SECONDS, FRAMES + 1), np.full(flags.clips, SECONDS)
    for name, parameters in {"PSDS1": PSDS1, "PSDS2": PSDS2}.items():
        started = time.perf_counter()
        changes = overlap_changes(scores, edges, events, classes, parameters.rule)
        counted = time.perf_counter()
        units = affordable(flags.clips, flags.classes)
        rows = sum(len(each.score) for each in changes)
        jackknife(partial(psds, changes, events, classes, seconds, parameters), flags.clips, units)
        print(
            f"{name}: counted in {counted - started:.1f} s, {rows:,} rows; "
            f"jackknife of {min(flags.clips, units)} units {time.perf_counter() - counted:.1f} s",
            flush=True,
        )
    started = time.perf_counter()
    collar_changes(scores, edges, events, classes, Collars())
    print(f"collars: counted in {time.perf_counter() - started:.1f} s")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def drawn(random: np.random.Generator, classes: list[str]) -> tuple[Event, ...]:
    """Events of one clip: one to three of each of its classes."""
    found = []
    for label in random.choice(classes, SOUNDING, replace=False):
        for onset in random.uniform(0, SECONDS - 1, random.integers(1, 4)):
            found.append(Event(round(onset, 3), round(onset + random.uniform(0.2, 3), 3), str(label)))
    return joined(found, SECONDS)


if __name__ == "__main__":
    main()
