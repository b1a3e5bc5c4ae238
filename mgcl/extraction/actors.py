"""Extraction on Ray: every actor has a share of a GPU and loads the backbone once."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from threadpoolctl import threadpool_limits

from mgcl.backbones.backbone import Backbone, Facts, facts
from mgcl.cluster.connect import cluster
from mgcl.cluster.machines import Machines
from mgcl.errors import ClusterError, MgclError
from mgcl.extraction.embedding import load_exact
from mgcl.extraction.plan import Shard
from mgcl.extraction.tokens import Pair, load_visual
from mgcl.extraction.workbench import Workbench

# Largest number of times that a shard is started, if its actors die.
_ATTEMPTS = 3
# Shards per actor at once: while one shard is embedded, the clips of the other are decoded.
_AT_ONCE = 2


@dataclass(frozen=True)
class Actors:
    """Running actors.

    Attributes:
        actors: handles of the actors.
        about: facts about the backbone that every actor loads.
    """

    actors: Sequence[Any]
    about: Facts

    def run(self, bench: Workbench) -> Iterator[Shard]:
        """Finish the shards of a workbench, and yield each shard once its file is complete.

        Args:
            bench: workbench whose folder is visible to all actors.

        Raises:
            ClusterError: actors died several times over the same shard.
            MgclError: the backbone raised it.
        """
        waiting = deque(bench.todo)
        running: dict[Any, tuple[Any, Shard]] = {}
        for actor in [*self.actors] * _AT_ONCE:
            _start(actor, waiting, bench, running)
        while running:
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            actor, shard = running.pop(done)
            _result(done, f"{shard.name} ({_first(shard)} ...)")
            _start(actor, waiting, bench, running)
            yield shard


@contextmanager
def start_actors(
    backbone: str,
    weights: str | None,
    machines: Machines,
    *,
    cpus: int,
    decode_workers: int = 2,
    visual: tuple[str, str | None] | None = None,
) -> Iterator[Actors]:
    """Start actors with a backbone of the catalogue. They are stopped when the context ends.

    Args:
        backbone: name of the backbone.
        weights: weights of the backbone, as its ``load`` takes them.
        machines: machines to use.
        cpus: CPUs of a cluster that is started on this machine.
        decode_workers: number of threads per actor that decode audio, at least 1.
        visual: name and weights of a visual backbone, for videos.

    Raises:
        ClusterError: no cluster answers, or the actors do not stay alive.
        BackboneError: the weights cannot be loaded.
    """
    with cluster(machines, cpus=cpus) as there:
        options = {"num_cpus": 1, "num_gpus": there.gpus_per_slot, "max_concurrency": _AT_ONCE, "max_restarts": -1}
        kind = ray.remote(_Actor).options(**options, max_task_retries=_ATTEMPTS - 1)
        actors = [kind.remote(backbone, weights, decode_workers, visual) for _ in range(there.slots)]
        about: Any = actors[0]
        yield Actors(actors, _result(about.about.remote(), "loading the backbone"))


class _Actor:
    """Actor with one backbone and the threads that decode for it."""

    def __init__(
        self, backbone: str, weights: str | None, decode_workers: int, visual: tuple[str, str | None] | None
    ) -> None:
        self._choice, self._visual = (backbone, weights), visual
        self._turn = threading.Lock()
        self._decoders = ThreadPoolExecutor(decode_workers)
        threadpool_limits(1, user_api="blas")  # permanent: the mel statistics' last digits depend on it

    @cached_property
    def _backbone(self) -> Backbone:
        device = "cuda" if ray.get_gpu_ids() else "cpu"
        loaded = load_exact(*self._choice, device)
        return Pair(loaded, load_visual(*self._visual, device)) if self._visual else loaded

    def about(self) -> Facts:
        """Load the backbone if it is not loaded yet, and return its facts."""
        with self._turn:
            return facts(self._backbone)

    def finish(self, bench: Workbench) -> None:
        """Embed the shards of a workbench and write their files."""
        with self._turn:
            backbone = self._backbone
        for shard in bench.shards:
            bench.finish(shard, backbone, self._decoders, self._turn)


def _start(actor: Any, waiting: deque[Shard], bench: Workbench, running: dict[Any, tuple[Any, Shard]]) -> None:
    if waiting:
        shard = waiting.popleft()
        running[actor.finish.remote(bench.only([shard]))] = actor, shard


def _result(job: Any, what: str) -> Any:
    """Wait for a job and return its result.

    Args:
        job: reference to the job's result.
        what: description of the job, for messages.

    Raises:
        ClusterError: the job's actor died, or the job raised an error other than a MgclError.
        MgclError: the job raised it.
    """
    try:
        return ray.get(job)
    except RayTaskError as error:
        if isinstance(error.cause, MgclError):
            raise error.cause from None
        raise ClusterError(f"{what}: {type(error.cause).__name__}: {error.cause}") from error
    except RayActorError as error:
        raise ClusterError(f"{what}: its actor died {_ATTEMPTS} times; finished shards are stored ({error})") from None


def _first(shard: Shard) -> str:
    if shard.rows:
        return f"row {shard.rows.start}"
    return str(shard.files[0].path) if shard.files else repr(shard.sentences[0])
