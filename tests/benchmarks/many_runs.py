"""A store of many recorded trials, written in bulk: about 10,000 per bank, of 100 episodes each.

    PYTHONPATH=. python tests/benchmarks/many_runs.py FOLDER [--banks 10]

One trial per column is run, and one is recorded in the usual way. All others get drawn scores, and the rows of MLflow's
tables that ``Tracking.record`` would have written. The command that it prints is the sweep that the store is of.
"""

import argparse
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mgcl.features import FeatureBank
from mgcl.records import PlannedTrial, TrialResult
from mgcl.sweep import Sweep
from mgcl.sweep.grid import plan
from mgcl.sweep.trial import run_trial
from mgcl.tracking.record import Tracking
from mgcl.tracking.runs import metrics_of, parameters_of, result_tags, run_name, tags_of, trial_json
from sweeps.full_grid import SWEEP
from tests import cases
from tests.generated_bank import write_generated_bank

SEEDS, FOLDS, FOLD_CLASSES, WAYS, SHOTS, EPISODES, QUERIES = 16, 5, 10, (2, 5), (1, 5), 100, 15
PROGRESS_RUNS = 5000


def sweep(seeds: int = SEEDS) -> Sweep:
    drawn = {"ways": WAYS, "shots": SHOTS, "episodes": EPISODES, "queries": QUERIES, "seeds": tuple(range(seeds))}
    return cases.changed_sweep(SWEEP, folds=FOLDS, fold_classes=FOLD_CLASSES, **drawn)


def flags(banks: Sequence[FeatureBank], seeds: int = SEEDS) -> list[str]:
    """Flags of ``sweeps/full_grid.py`` that plan the recorded trials."""
    listed = {"bank": [bank.path for bank in banks], "ways": WAYS, "shots": SHOTS, "folds": [FOLDS],
              "fold-classes": [FOLD_CLASSES], "episodes": [EPISODES], "queries": [QUERIES],
              "seed": range(seeds)}  # fmt: skip
    return [word for name, values in listed.items() for word in (f"--{name}", *map(str, values))]


def write(folder: Path, banks: int, seeds: int = SEEDS) -> tuple[list[FeatureBank], int]:
    """Write ``banks`` generated banks and ``mlflow.db`` with all trials on them; return the banks and their number."""
    opened = [write_generated_bank(folder / "banks" / str(index), seed=index) for index in range(banks)]
    store = Tracking.open("full_grid", f"sqlite:///{folder / 'mlflow.db'}")
    store.name_comparisons(SWEEP.reference, SWEEP.baselines)
    planned = [(each, bank) for bank in opened for each in plan(sweep(seeds), bank)]
    results = {_column(each): run_trial(each.trial, bank) for each, bank in planned if each.variants[0] == "full"
               and bank is opened[0] and each.trial.cell.seed == 0 and each.trial.cell.fold.index == 0}  # fmt: skip
    first, bank = planned[0]
    store.record(first, _result(first, results), bank, {})
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.execute("PRAGMA synchronous = OFF")
        bulk = _Bulk(database, store)
        for start in range(1, len(planned), PROGRESS_RUNS):
            for number, (each, bank) in enumerate(planned[start : start + PROGRESS_RUNS], start=start):
                bulk.add(number, each, _result(each, results), bank)
            bulk.flush()
            print(f"{min(start + PROGRESS_RUNS, len(planned))} of {len(planned)} trials", flush=True)
    return opened, len(planned)


def _column(planned: PlannedTrial) -> tuple[int, int]:
    return planned.trial.cell.way, planned.trial.cell.shot


def _result(planned: PlannedTrial, results: dict[tuple[int, int], TrialResult]) -> TrialResult:
    """The result of the column's trial, with drawn scores."""
    random = np.random.default_rng(int(planned.trial.key, 16))
    tested = planned.trial.cell.way * QUERIES
    scores = random.binomial(tested, random.normal(0.8, 0.03), EPISODES) / tested
    return replace(results[_column(planned)], key=planned.trial.key, scores={"accuracy": tuple(scores.tolist())})


class _Bulk:
    """Rows of MLflow's tables, after those of the one run that is recorded."""

    def __init__(self, database: sqlite3.Connection, store: Tracking) -> None:
        self._database, self._store = database, store
        found = database.execute("SELECT * FROM runs WHERE run_uuid != ?", (store.parent_id,))
        names = [each[0] for each in found.description]
        self._run: dict[str, Any] = dict(zip(names, found.fetchone(), strict=True))
        tags = database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (self._run["run_uuid"],))
        self._tags = dict(tags.fetchall())
        self._rows: dict[str, list[tuple[Any, ...]]] = {}

    def add(self, number: int, planned: PlannedTrial, result: TrialResult, bank: FeatureBank) -> None:
        run_id, name = f"{number:032x}", run_name(planned)
        address = str(self._run["artifact_uri"]).replace(self._run["run_uuid"], run_id)
        when = {
            "start_time": self._run["start_time"] + 1000 * number,
            "end_time": self._run["end_time"] + 1000 * number,
        }
        changed = {"run_uuid": run_id, "name": name, "artifact_uri": address, **when}
        self._add("runs", (self._run | changed).values())
        own = {**tags_of(planned, bank), **result_tags(result), "mlflow.runName": name}
        assert own.keys() | {"mlflow.parentRunId", "complete"} == self._tags.keys(), own.keys() ^ self._tags.keys()
        for key, value in (self._tags | own).items():
            self._add("tags", (key, value, run_id))
        for key, value in parameters_of(planned).items():
            self._add("params", (key, value, run_id))
        metrics = list(metrics_of(planned.trial, result))
        for key, value, step in metrics:
            self._add("metrics", (key, value, when["end_time"], run_id, step, 0))
        for key, value, step in {each[0]: each for each in metrics}.values():
            self._add("latest_metrics", (key, value, when["end_time"], step, 0, run_id))
        if {"full", "zero-shot"} & {*planned.variants} and _column(planned) == (WAYS[-1], SHOTS[-1]):
            file = Path(address.removeprefix("file://")) / "trial.json"
            file.parent.mkdir(parents=True)
            file.write_text(trial_json(planned, result), encoding="utf-8")

    def _add(self, table: str, values: Any) -> None:
        self._rows.setdefault(table, []).append(tuple(values))

    def flush(self) -> None:
        for table, columns in self._columns():
            marks = ", ".join("?" * len(columns.split(",")))
            self._database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", self._rows.pop(table, []))
        self._database.commit()

    def _columns(self) -> Iterator[tuple[str, str]]:
        yield "runs", ", ".join(self._run)
        yield from {
            "tags": "key, value, run_uuid",
            "params": "key, value, run_uuid",
            "metrics": "key, value, timestamp, run_uuid, step, is_nan",
            "latest_metrics": "key, value, timestamp, step, is_nan, run_uuid",
        }.items()


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a store of many recorded trials.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--banks", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    began = time.perf_counter()
    banks, trials = write(given.folder.absolute(), given.banks, given.seeds)
    print(f"{trials} trials in {time.perf_counter() - began:.0f} s; the sweep of this store:")
    print(f"MGCL_HOME={given.folder.absolute()} python sweeps/full_grid.py {' '.join(flags(banks, given.seeds))}")


if __name__ == "__main__":
    main()
