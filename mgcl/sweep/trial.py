"""Running of one trial in this process, reproducible to the bit. The module uses neither Ray nor MLflow."""

import math
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from mgcl.catalogue import load
from mgcl.errors import SweepError
from mgcl.features import FeatureBank
from mgcl.parameters import from_flat
from mgcl.records import Trial, TrialResult
from mgcl.tasks import Measured, Setup, Task
from mgcl.transport.pairwise import LARGEST_STORED, ComputedSimilarities, SimilarityStore


def similarity_store(
    bank: FeatureBank, *, root: Path | None = None, device: str = "cpu", stored: bool = True
) -> SimilarityStore | None:
    """Similarity store of all pairs of a bank's clips; None: the bank has no segments to compare.

    Args:
        bank: the feature bank.
        root: folder for the store's blocks; None: they are kept in memory.
        device: a torch device.
        stored: whether whole blocks are computed and stored; otherwise, and for large banks, the pairs that are looked
            up are computed.
    """
    if bank.lacks(["segments", "label"]):
        return None
    segments, check = bank.segment_embeddings, bank.check_unchanged
    kind = SimilarityStore if stored and len(bank.clips) <= LARGEST_STORED else ComputedSimilarities
    return kind(segments, _numbered(bank.clips["label"]), digest=bank.digest, root=root, device=device, check=check)


def _numbered(labels: pa.ChunkedArray) -> NDArray[np.intp]:
    """Number of each label in the order of the names: smaller than the labels as text."""
    encoded = labels.combine_chunks().dictionary_encode()
    rank = np.argsort(np.argsort(np.array(encoded.dictionary.to_pylist(), dtype=str)))
    numbers: NDArray[np.intp] = rank[encoded.indices.to_numpy()]
    return numbers


def run_trial(
    trial: Trial,
    bank: FeatureBank,
    *,
    device: str = "cpu",
    similarities: SimilarityStore | None = None,
    kept: Path | None = None,
) -> TrialResult:
    """Run a trial.

    Args:
        trial: the trial.
        bank: feature bank with the digest that the trial names.
        device: a torch device; accuracies are equal to the bit for one device type, one torch build and one thread.
        similarities: similarity store of the bank on that device, shared by trials; None: this trial computes its own.
        kept: folder for other results that trials share; None: they are computed again.

    Returns:
        The result, with the seconds that it took.

    Raises:
        SweepError: the bank's content differs from the planned one, or this mgcl has another version of the task or
            the method.
        ValueError: a score of the task's metrics is missing or not finite, or their numbers of units differ.
    """
    started = time.perf_counter()
    task: Task = load("task", trial.task)
    setup = setup_of(
        trial, task, bank, device, similarities or similarity_store(bank, device=device, stored=False), kept
    )
    with _reproducible():
        measured, stack = _run(task, setup)
    scores = _checked(measured, task)
    return TrialResult(
        key=trial.key,
        scores=scores,
        convergence=measured.convergence,
        seconds=time.perf_counter() - started,
        device=device,
        stack=stack,
        host=platform.node(),
        confusions=measured.confusions,
        explained=measured.explained,
        tradeoffs=measured.tradeoffs,
        samples=measured.samples,
        facts={name: float(value) for name, value in measured.facts.items()},
    )


def _run(task: Task, setup: Setup) -> tuple[Measured, int]:
    """Run the task; returns its result and the stack that fitted into the device's memory."""
    stack = task.largest_stack(setup)
    while True:
        try:
            return task.run(setup, stack), stack
        except torch.cuda.OutOfMemoryError:
            if stack == 1:
                raise
            stack //= 2  # repeat the whole trial, because the stack affects rounding
            torch.cuda.empty_cache()


def _checked(measured: Measured, task: Task) -> dict[str, tuple[float, ...]]:
    """Scores as plain numbers, checked before they are recorded and every later report reads them.

    Raises:
        ValueError: a column of the task's metrics is missing or has no unit, columns of one metric differ in their
            number of units, or a score is not finite.
    """
    scores = {column: tuple(map(float, each)) for column, each in measured.scores.items()}
    for metric in task.METRICS:
        for column in metric.columns:
            if not scores.get(column):
                raise ValueError(f"the task measured no {column}")
            if not all(map(math.isfinite, scores[column])):
                raise ValueError(f"a score of {column} is not finite")
        if len({len(scores[column]) for column in metric.columns}) > 1:
            raise ValueError(f"{metric.name} is made of {', '.join(metric.columns)}, which differ in units")
    return scores


def setup_of(
    trial: Trial,
    task: Task,
    bank: FeatureBank,
    device: str,
    similarities: SimilarityStore | None,
    kept: Path | None = None,
) -> Setup:
    """Everything that a task needs to run a trial.

    Raises:
        SweepError: bank, task or method are not those that the sweep was planned with.
    """
    if bank.digest != trial.bank:
        raise SweepError(f"{bank.path}: changed since the sweep was planned; start the sweep again")
    if trial.protocol != task.VERSION:
        raise SweepError(
            f"task {trial.task} is version {task.VERSION} here, {trial.protocol} where the sweep was planned; install "
            "one mgcl everywhere"
        )
    method = load("method", trial.method)
    if trial.version != method.VERSION:
        raise SweepError(
            f"method {trial.method} is version {method.VERSION} here, {trial.version} where the sweep was "
            "planned; install one mgcl everywhere"
        )
    parameters: Any = from_flat(method.Parameters, trial.parameters)
    return Setup(trial, bank, method, parameters, similarities, torch.device(device), kept)


@contextmanager
def _reproducible() -> Iterator[None]:
    """Make torch reproducible to the bit within the block: no TF32, no kernel whose sums depend on scheduling."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this setting
    matmul, cudnn, uninitialised = torch.backends.cuda.matmul, torch.backends.cudnn, torch.utils.deterministic
    before = matmul.allow_tf32, cudnn.allow_tf32, uninitialised.fill_uninitialized_memory  # type: ignore[attr-defined]
    deterministic = torch.get_deterministic_debug_mode()
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms imports torch's compiler: 2.5 s
    # Filling uninitialised memory only guards against bugs of torch, and costs a tenth of a trial.
    uninitialised.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(deterministic)
        matmul.allow_tf32, cudnn.allow_tf32, uninitialised.fill_uninitialized_memory = before  # type: ignore[attr-defined]
