"""Runs trials in a process: banks and similarity stores stay open from one trial to the next."""

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
        banks: digest -> where the bank lies: a folder, or an address that ``nearby`` takes.
        home: keeps similarities and logs.
        gpu_share: of this process's first GPU, whose memory beyond that is its neighbours'; 0: one CPU thread.
    """

    banks: Mapping[str, str]
    home: Path
    gpu_share: float

    def run(self, trial: Trial, computed: SimilarityStore | None = None) -> Outcome:
        """Run a trial; its own error is an outcome, not a crash.

        Args:
            trial: what to run.
            computed: where to look similarities up instead of in the store that is kept.

        Raises:
            BankError: the bank is not what was planned, or changed: no trial's fault.
        """
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", MgclWarning)
                bank, kept = self._opened(trial.bank)
                result = run_trial(trial, bank, device=self._device, similarities=computed or kept)
                bank.check_unchanged()
            own = [str(each.message) for each in caught if issubclass(each.category, MgclWarning)]
            return replace(result, notes=tuple(dict.fromkeys(own)))
        except BankError:
            raise
        except Exception as error:
            return TrialFailure(trial.key, f"{type(error).__name__}: {error}", traceback.format_exc())
        finally:
            if self.gpu_share:
                torch.cuda.empty_cache()  # others share the device

    def run_logged(self, trial: Trial) -> Outcome:
        """Run a trial; what it says, and where it was if the process crashes, goes to its log."""
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
        """Open the banks, which a worker should try before it takes a trial.

        Raises:
            BankError: one cannot be opened, or is not what was planned.
        """
        for digest in self.banks:
            self._opened(digest)

    def computed_similarities(self, digest: str) -> SimilarityStore:
        """Of a bank's clips, for a matching that no other trial will have: computed when asked for, and not stored."""
        return similarity_store(self._opened(digest)[0], device=self._device, stored=False)

    def _opened(self, digest: str) -> tuple[FeatureBank, SimilarityStore]:
        if digest not in self._open:
            location = self.banks[digest]
            bank = FeatureBank.open(nearby(location, digest=digest))
            if bank.digest != digest:
                raise BankError(f"{location}: changed since the sweep was planned; start the sweep again")
            self._open[digest] = bank, similarity_store(bank, root=machine_root(self.home), device=self._device)
        return self._open[digest]

    @cached_property
    def _open(self) -> dict[str, tuple[FeatureBank, SimilarityStore]]:
        return {}


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


class _Log(io.FileIO):
    """A file that forgets what its disk has no room for: no trial fails because its log cannot be kept."""

    def write(self, said: Any, /) -> int:
        """As any file, but never an error."""
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
