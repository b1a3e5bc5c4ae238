"""What runs trials, in whatever process: its bank and similarities stay open from one to the next."""

import faulthandler
import io
import platform
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mgcl.errors import BankError, MgclWarning
from mgcl.evaluation.trial import run_trial, similarity_store
from mgcl.features import FeatureBank
from mgcl.features.copies import nearby
from mgcl.records import Trial, TrialFailure
from mgcl.sweep.queue import Outcome
from mgcl.transport import SimilarityStore
from mgcl.transport.tiles import machine_root


@dataclass(frozen=True)
class Worker:
    """Runs trials one after the other.

    Attributes:
        bank: where the bank lies: a folder, or an address that ``nearby`` takes.
        digest: of the bank.
        home: keeps similarities and logs.
        gpu_share: of this process's first GPU, whose memory beyond that is its neighbours'; 0: one CPU thread.
    """

    bank: str
    digest: str
    home: Path
    gpu_share: float

    def run(self, trial: Trial, passing: SimilarityStore | None = None) -> Outcome:
        """Run a trial; its own error is an outcome, not a crash.

        Args:
            trial: what to run.
            passing: where to look similarities up instead of in the store that is kept.

        Raises:
            BankError: the bank is not what was planned, or changed: no trial's fault.
        """
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", MgclWarning)
                bank, kept = self._opened
                result = run_trial(trial, bank, device=self._device, similarities=passing or kept)
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
                print(f"{_now()} finished: accuracy {outcome.accuracy:.4f}")
            return outcome

    @cached_property
    def _device(self) -> str:
        if not self.gpu_share:
            torch.set_num_threads(1)
            return "cpu"
        torch.cuda.set_per_process_memory_fraction(min(self.gpu_share, 1.0))
        return "cuda"

    def open(self) -> None:
        """Open the bank, which a worker should try before it takes a trial.

        Raises:
            BankError: it cannot be opened, or is not what was planned.
        """
        _ = self._opened

    def passing_similarities(self) -> SimilarityStore:
        """For a matching that no other trial will have."""
        return similarity_store(self._opened[0], device=self._device, passing=True)

    @cached_property
    def _opened(self) -> tuple[FeatureBank, SimilarityStore]:
        bank = FeatureBank.open(nearby(self.bank, digest=self.digest))
        if bank.digest != self.digest:
            raise BankError(f"{self.bank}: changed since the sweep was planned; start the sweep again")
        return bank, similarity_store(bank, root=machine_root(self.home), device=self._device)


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
