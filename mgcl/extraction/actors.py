"""Extraction on Ray: actors pinned to their share of a GPU, each with the backbone loaded once."""

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
from mgcl.extraction.workbench import Workbench

# A shard whose actor dies is started this many times in all.
_ATTEMPTS = 3
# Shards an actor has at once: while one is embedded, the other's clips are decoded.
_AT_ONCE = 2


@dataclass(frozen=True)
class Actors:
    """Actors that are up.

    Attributes:
        actors: their handles.
        about: the backbone that each of them has loaded.
    """

    actors: Sequence[Any]
    about: Facts

    def run(self, bench: Workbench) -> Iterator[Shard]:
        """Finish a workbench, whose folder every actor sees; yields each shard when its file is there.

        Raises:
            ClusterError: an actor died several times over the same shard.
            MgclError: the backbone's own.
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
    backbone: str, weights: str | None, machines: Machines, *, cpus: int, decode_workers: int = 2
) -> Iterator[Actors]:
    """Start actors, each with a backbone of the catalogue; they are gone at the end.

    Args:
        backbone: its name.
        weights: of the backbone, as its ``load`` takes them.
        machines: where.
        cpus: of the cluster that is started here.
        decode_workers: threads of each actor that read audio, at least 1.

    Raises:
        ClusterError: no cluster answers, or the actors do not stay alive.
        BackboneError: the weights cannot be loaded.
    """
    with cluster(machines, cpus=cpus) as there:
        options = {"num_cpus": 1, "num_gpus": there.gpus_per_slot, "max_concurrency": _AT_ONCE, "max_restarts": -1}
        kind = ray.remote(_Actor).options(**options, max_task_retries=_ATTEMPTS - 1)
        actors = [kind.remote(backbone, weights, decode_workers) for _ in range(there.slots)]
        about: Any = actors[0]
        yield Actors(actors, _result(about.about.remote(), "loading the backbone"))


class _Actor:
    """An actor: one backbone, and the threads that decode for it."""

    def __init__(self, backbone: str, weights: str | None, decode_workers: int) -> None:
        self._choice = backbone, weights
        self._turn = threading.Lock()
        self._decoders = ThreadPoolExecutor(decode_workers)
        threadpool_limits(1, user_api="blas")  # for good: the mel statistics' last digits depend on it

    @cached_property
    def _backbone(self) -> Backbone:
        name, weights = self._choice
        return load_exact(name, weights, "cuda" if ray.get_gpu_ids() else "cpu")

    def about(self) -> Facts:
        """Load the backbone, once, and return its facts."""
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
    """The result of a job; its own errors as they were raised."""
    try:
        return ray.get(job)
    except RayTaskError as error:
        if isinstance(error.cause, MgclError):
            raise error.cause from None
        raise ClusterError(f"{what}: {type(error.cause).__name__}: {error.cause}") from error
    except RayActorError as error:
        raise ClusterError(f"{what}: its actor died {_ATTEMPTS} times; finished shards are stored ({error})") from None


def _first(shard: Shard) -> str:
    return str(shard.files[0].path) if shard.files else repr(shard.sentences[0])
