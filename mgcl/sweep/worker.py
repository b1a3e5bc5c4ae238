"""Worker that runs trials in a process, keeping banks and similarity stores open between trials."""

import faulthandler
import io
import platform
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mgcl.cluster.queue import Outcome
from mgcl.errors import BankError, MgclWarning
from mgcl.features import FeatureBank
from mgcl.features.copies import nearby
from mgcl.records import Trial, TrialFailure
from mgcl.sweep.trial import run_trial, similarity_store
from mgcl.transport.pairwise import SimilarityStore
from mgcl.transport.tiles import machine_root


@dataclass(frozen=True)
class Worker:
    """Runs trials one after another, keeping their banks and similarity stores open.

    Attributes:
        banks: digest -> location of the bank: a folder, or an address that ``nearby`` takes.
        home: folder for similarities, other results that trials share, and logs.
        gpu_share: share of the memory of this process's first GPU that it may use, the rest being for other processes;
            0: run on one CPU thread.
    """

    banks: Mapping[str, str]
    home: Path
    gpu_share: float

    def run(self, trial: Trial, computed: SimilarityStore | None = None) -> Outcome:
        """Run a trial; an error of the trial becomes its outcome and is not raised.

        Args:
            trial: the trial.
            computed: similarities to use instead of the worker's own store.

        Returns:
            A ``TrialResult``, or a ``TrialFailure`` with the error.

        Raises:
            BankError: the bank is not the planned one, or has changed, which is not the trial's fault.
        """
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", MgclWarning)
                bank, kept = self._opened(trial.bank)
                shared = self.home / "kept" / platform.node()
                result = run_trial(trial, bank, device=self._device, similarities=computed or kept, kept=shared)
                bank.check_unchanged()
            own = [str(each.message) for each in caught if issubclass(each.category, MgclWarning)]
            return replace(result, notes=tuple(dict.fromkeys(own)))
        except BankError:
            raise
        except Exception as error:
            return TrialFailure(trial.key, f"{type(error).__name__}: {error}", traceback.format_exc())
        finally:
            if self.gpu_share:
                torch.cuda.empty_cache()  # other processes share the device

    def run_logged(self, trial: Trial) -> Outcome:
        """Run a trial with its output, and a traceback if the process crashes, written to the trial's log."""
        with _logged(self.home / "logs" / f"{trial.key}.log"):
            print(f"{_now()} started on {platform.node()}, {self._device}: {trial}", flush=True)
            outcome = self.run(trial)
            if isinstance(outcome, TrialFailure):
                print(f"{_now()} {outcome.traceback}")
            else:
                means = ", ".join(f"{column} {outcome.mean(column):.4f}" for column in outcome.scores)
                print(f"{_now()} finished: {means}")
            return outcome

    @cached_property
    def _device(self) -> str:
        if not self.gpu_share:
            torch.set_num_threads(1)
            return "cpu"
        torch.cuda.set_per_process_memory_fraction(min(self.gpu_share, 1.0))
        return "cuda"

    def open(self) -> None:
        """Open all banks, so that a bad bank fails before the first trial.

        Raises:
            BankError: a bank cannot be opened, or is not the planned one.
        """
        for digest in self.banks:
            self._opened(digest)

    def computed_similarities(self, digest: str) -> SimilarityStore | None:
        """Similarities of a bank's clips that are computed on every look-up and not stored.

        They suit a matching that no other trial will use.
        """
        return similarity_store(self._opened(digest)[0], device=self._device, stored=False)

    def _opened(self, digest: str) -> tuple[FeatureBank, SimilarityStore | None]:
        if digest not in self._open:
            location = self.banks[digest]
            bank = FeatureBank.open(nearby(location, digest=digest))
            if bank.digest != digest:
                raise BankError(f"{location}: changed since the sweep was planned; start the sweep again")
            self._open[digest] = bank, similarity_store(bank, root=machine_root(self.home), device=self._device)
        return self._open[digest]

    @cached_property
    def _open(self) -> dict[str, tuple[FeatureBank, SimilarityStore | None]]:
        return {}


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


class _Log(io.FileIO):
    """File that drops what cannot be written, so that no trial fails because of its log, e.g. on a full disk."""

    def write(self, said: Any, /) -> int:
        """Write bytes; an error of the disk is ignored."""
        try:
            return super().write(said)
        except OSError:
            return len(said)


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        log = io.TextIOWrapper(io.BufferedWriter(_Log(file, "a")), encoding="utf-8")
    except OSError:
        yield
        return
    with log, redirect_stdout(log), redirect_stderr(log):
        faulthandler.enable(log)
        try:
            yield
        finally:
            faulthandler.disable()
