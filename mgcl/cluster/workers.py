"""Trials on Ray Tune: workers with a fixed share of a GPU take trials from one queue.

A Tune trial is a worker, not one of our trials. Tune keeps some 40 kB per trial of its own and iterates over all of
them at every step, so that with ten thousand it would need a minute per thousand. One of our trials is still one key,
one run, one retry.
"""

import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mgcl.cluster.capacity import refused
from mgcl.cluster.connect import Cluster
from mgcl.cluster.queue import Held, Outcome, Queue
from mgcl.errors import ENDINGS, ClusterError
from mgcl.progress import Bar
from mgcl.records import Trial

# Deaths of workers that took no trial, in a row and without a running trial, after which the sweep stops.
_USELESS_DEATHS = 4
# Outcomes that are not recorded yet wait in the queue's process, not in the driver's.
_COLLECTED_AT_ONCE = 32
_PATIENCE_SECONDS = 20
_PROGRESS_SECONDS = 5
# Schedulers kill a job half a minute after their signal.
_LAST_TRIALS_SECONDS = 20


class Worker(Protocol):
    """Protocol of the object that is sent to every worker's process and runs trials there."""

    def open(self) -> None:
        """Prepare the process. Raises if no trial can run in it."""
        ...

    def run_logged(self, trial: Trial) -> Outcome:
        """Run a trial and return its result, or its failure if it raised an error."""
        ...


def run_on_workers(
    trials: Sequence[Trial],
    worker: Worker,
    there: Cluster,
    on_outcome: Callable[[Outcome], None],
    on_progress: Callable[[Sequence[Held], Sequence[str]], None],
) -> None:
    """Run trials on the connected cluster; return when all have ended, or after Ctrl-C.

    Args:
        trials: trials to run, in this order.
        worker: runs trials; every worker process gets a copy of it.
        there: the cluster, which gives the number of workers and their share of a GPU.
        on_outcome: called in this process with each outcome as it arrives; an error that it raises stops the sweep.
        on_progress: called every few seconds with the running trials and, if workers wait for a machine, with what the
            cluster's cloud refuses.

    Raises:
        ClusterError: workers die before they take a trial, or the queue's process died.
        Exception: whatever ``on_outcome`` raised.
    """
    workers = min(there.slots, len(trials))
    queue = _start_queue(trials)
    listener = _Listener(queue, len(trials), there, on_outcome, on_progress)
    with tempfile.TemporaryDirectory(prefix="tune-", dir=there.session) as storage:
        work = tune.with_parameters(_work, queue=queue, worker=worker)
        tuner = tune.Tuner(
            tune.with_resources(work, {"cpu": 1, "gpu": there.gpus_per_slot}),
            param_space={"worker": tune.grid_search([f"worker-{index}" for index in range(workers)])},
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=storage,
                verbose=0,
                callbacks=[listener],
                stop=EndWhen(lambda: listener.finished),
                failure_config=tune.FailureConfig(max_failures=-1),
            ),
        )
        with _ending_on_signals(listener):
            tuner.fit()
    while listener.hand_over():
        pass
    ray.kill(queue)
    if listener.error:
        raise listener.error


@contextmanager
def _ending_on_signals(listener: "_Listener") -> Iterator[None]:
    """On Ctrl-C, SIGTERM or SIGHUP start no further trial and let running trials end.

    A second signal has its usual effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set signal handlers
        return

    def end(number: int, _frame: object) -> None:
        listener.interrupted = True
        signal.signal(number, before[signal.Signals(number)])

    endings = [each for each in (signal.SIGINT, *ENDINGS) if signal.getsignal(each) != signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, end) for number in endings}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_queue(trials: Sequence[Trial]) -> Any:
    """Start the queue as an actor on the driver's node, so that it lives as long as the driver."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Queue).options(num_cpus=0, scheduling_strategy=here).remote(trials)


class _Listener(tune.Callback):
    """Tune callback in the driver: fetches outcomes at every step of Tune and reports dead workers to the queue."""

    def __init__(
        self,
        queue: Any,
        trials: int,
        there: Cluster,
        on_outcome: Callable[[Outcome], None],
        on_progress: Callable[[Sequence[Held], Sequence[str]], None],
    ) -> None:
        self._queue, self._left, self._workers = queue, trials, there.slots
        self._gpus = f" and {there.gpus_per_slot:g} of a GPU" if there.gpus_per_slot else ""
        self._on_outcome, self._on_progress = on_outcome, on_progress
        self._told = self._at_work = time.monotonic()
        self._useless_deaths = 0
        self.error: Exception | None = None
        self.interrupted = False
        self._last_moment: float | None = None
        self._wound_up = False

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: all trials ended, the sweep was interrupted, or an error stops it."""
        return self._left == 0 or self._wound_up or self.error is not None

    def hand_over(self) -> bool:
        """Pass new outcomes to ``on_outcome``; return whether there were any."""
        before = self._left
        try:
            for outcome in self._ask("collect", _COLLECTED_AT_ONCE) or ():
                self._left -= 1
                self._useless_deaths = 0
                if self.error is None:
                    self._on_outcome(outcome)
        except Exception as error:  # from the driver's ``on_outcome``: Tune would wrap it
            self._stop(error)
        return self._left < before

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:  # noqa: ARG002
        """Hand over outcomes, report progress and stop when finished. Tune calls this several times per second."""
        self.hand_over()
        if self.interrupted:
            self._wind_up(time.monotonic())
        if self.finished:
            self._ask("close")  # Tune waits a while for its workers, which must start no further trial
            return
        now = time.monotonic()
        if now - self._told < _PROGRESS_SECONDS:
            return
        self._told = now
        held = self._ask("held") or ()
        lacking = refused() if len(held) < min(self._workers, self._left) else ()
        self._on_progress(held, lacking)
        if held:
            self._at_work = now
        elif now - self._at_work > _PATIENCE_SECONDS:
            self._at_work = now
            why = f"; the cloud refuses {'; '.join(lacking)}" if lacking else ""
            Bar.write(f"waiting for a worker: no node has a free CPU{self._gpus} yet{why}", file=sys.stderr)

    def _wind_up(self, now: float) -> None:
        """Start no further trial, and give running trials a few seconds to end."""
        if self._last_moment is None:
            self._last_moment = now + _LAST_TRIALS_SECONDS
            self._ask("close")
            Bar.write("stopping: trials under way may end; a second signal ends them", file=sys.stderr)
        self._wound_up = now >= self._last_moment or not self._ask("held")

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002
        """Report a dead worker to the queue. Tune starts another worker in its place."""
        # Tune writes the error here at once, and copies it to where `trial.get_error` reads some time later.
        error = Path(trial.error_file).read_text(encoding="utf-8") if trial.error_file else "died"
        if self._ask("lost", trial.config["worker"], error):
            Bar.write("a worker died; its trial waits for another", file=sys.stderr)
            return
        self._useless_deaths += 1
        if self._useless_deaths >= _USELESS_DEATHS and not self._ask("held"):
            reason = error.strip().splitlines()[-1].removeprefix("mgcl.errors.")
            self._stop(ClusterError(f"workers die before they take a trial: {reason}"))

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            return ray.get(getattr(self._queue, method).remote(*arguments))
        except RayActorError:
            self._stop(ClusterError("the queue of trials died; start the sweep again: what is recorded is kept"))

    def _stop(self, error: Exception) -> None:
        self.error = self.error or error

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        """Pickle as an empty callback: Tune writes callbacks to disk to resume, but a sweep resumes from MLflow."""
        return tune.Callback, ()


class EndWhen(tune.Stopper):
    """Stopper that ends Tune's experiment, including workers that wait for a node, once a condition holds."""

    def __init__(self, ended: Callable[[], bool]) -> None:
        self._ended = ended

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        """Return False: no worker is stopped on its own."""
        return False

    def stop_all(self) -> bool:
        """Return whether the condition holds. Tune calls this at every step."""
        return self._ended()


def _work(config: dict[str, str], queue: Any, worker: Worker) -> None:
    """Run trials from the queue in a worker's process until none are left."""
    worker.open()
    outcome, done = None, 0
    while trial := ray.get(queue.take.remote(config["worker"], platform.node(), outcome)):
        outcome, done = worker.run_logged(trial), done + 1
    tune.report({"trials": done})  # without a report Tune prints that the worker ended
