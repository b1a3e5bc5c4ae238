"""What segments in float16 change: figures of a few rows on a bank, and on the same bank with rounded segments.

    python tests/benchmarks/half.py BANK [--episodes N] [--variants NAME ...]

Printed are the accuracies over the same episodes, the largest difference of an episode, and how far the segments were
rounded relative to the largest number of their vector.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from mgcl.features import FeatureBank
from mgcl.features.schema import CLASSES, CLIPS, columns_of
from mgcl.features.writer import write_bank
from mgcl.sweep.grid import Sweep, plan
from mgcl.sweep.trial import run_trial
from mgcl.tasks import few_shot


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bank", type=Path)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--variants", nargs="+", default=["full", "without-training", "multi-grained-kernel"])
    flags = parser.parse_args()
    whole = FeatureBank.open(flags.bank)
    with tempfile.TemporaryDirectory() as folder:
        half = rounded(whole, Path(folder) / "half")
        found, given = (np.asarray(each.segment_embeddings) for each in (half, whole))
        error = np.abs(found - given).max(-1) / np.abs(given).max(-1)
        size = [sum(file.stat().st_size for file in each.path.glob("*.arrow")) / 1e6 for each in (whole, half)]
        print(f"{size[0]:.1f} MB, in float16 {size[1]:.1f} MB; segments rounded by up to {error.max():.1e}")
        draws = few_shot.Draws(ways=(5,), shots=(1, 5), episodes=flags.episodes, queries=15)
        sweep = Sweep(name="half", draws=draws, variants=tuple(flags.variants), audio_only=not whole.captioned)
        for first, second in zip(plan(sweep, whole), plan(sweep, half), strict=True):
            one, other = (
                np.array(run_trial(each.trial, bank).scores["accuracy"])
                for each, bank in ((first, whole), (second, half))
            )
            cell = first.trial.cell
            where, apart = f"{cell.way}-way {cell.shot}-shot fold {cell.fold.index}", np.abs(one - other).max()
            means = f"{100 * one.mean():.3f} %, float16 {100 * other.mean():.3f} %"
            print(f"{first.variants[0]} {where}: {means}; of an episode up to {100 * apart:.2f}")


def rounded(bank: FeatureBank, path: Path) -> FeatureBank:
    """The bank with its segments in float16."""
    tables = {CLIPS: bank.clips, CLASSES: bank.classes}
    values = {
        file: {
            each.stored: bank.column(each.called) if each.holds_vectors else table[each.stored].to_pylist()
            for each in columns_of(file, table, bank.header.format)
        }
        for file, table in tables.items()
    }
    values[CLIPS]["segment_embeddings"] = np.asarray(bank.segment_embeddings).astype(np.float16)
    return write_bank(path, bank.header, values[CLIPS], values[CLASSES])


if __name__ == "__main__":
    main()
