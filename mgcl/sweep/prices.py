"""Estimated price of a sweep on rented machines, from the prices that its cluster file states."""

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgcl.cluster.machines import room
from mgcl.errors import SweepError


@dataclass(frozen=True)
class Rented:
    """Machines of a cluster file, and what they cost per hour in US dollars."""

    head: float
    workers: Mapping[str, float]
    """Kind of worker -> its price."""
    resources: Mapping[str, Mapping[str, float]]
    """Kind of worker -> its CPUs and GPUs."""
    most: int
    """Largest number of workers that are rented at once."""
    idle: float
    """Hours after the last trial in which workers are still rented."""


def rented(file: Path) -> Rented:
    """Read a cluster file with prices: ``metadata.usd_per_hour``, one for each of its ``available_node_types``.

    Raises:
        SweepError: the file cannot be read, or lacks a price; the message names it.
    """
    import yaml

    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        kinds, head = dict(config["available_node_types"]), config["head_node_type"]
        most, idle = int(config["max_workers"]), float(config["idle_timeout_minutes"]) / 60
    except OSError as error:
        raise SweepError(f"`prices` {file}: {error.strerror}; name a cluster file, e.g. cluster.yaml") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise SweepError(
            f"`prices` {file}: not a cluster file with node types, max_workers and idle_timeout_minutes "
            f"({type(error).__name__}: {' '.join(str(error).split())[:120]}); take cluster.yaml as a model"
        ) from None
    given: Any = (config.get("metadata") or {}).get("usd_per_hour") or {}
    prices = {kind: given.get(kind) for kind in kinds}
    for kind, price in prices.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
            raise SweepError(
                f"`prices` {file}: metadata.usd_per_hour has no price of the node type {kind}: add it, in US dollars "
                "per hour"
            )
    workers = {kind: float(price) for kind, price in prices.items() if kind != head}
    resources = {kind: kinds[kind]["resources"] for kind in workers}
    return Rented(float(prices[head]), workers, resources, most, idle)


def estimate(machines: Rented, seconds: Sequence[float], *, workers: int, share: float) -> str:
    """Estimate, in words, how long the trials take on rented machines and what these cost.

    Trials are taken to last there as long as where they have run so far. Time in which machines start, storage and
    traffic are left out.

    Args:
        machines: machines and prices.
        seconds: expected seconds of each trial to run, at least one.
        workers: trials at once that are asked for, at least 1.
        share: share of a GPU per trial.

    Raises:
        SweepError: no kind of machine has room for a trial.
    """
    fitting = {kind: room(machines.resources[kind], share) for kind in machines.workers}
    costs = {kind: _cost(machines, kind, each, seconds, workers) for kind, each in fitting.items() if each}
    if not costs:
        raise SweepError(f"`prices`: no node type has a CPU and {share:g} of a GPU; lower `gpus_per_actor`")
    cheapest, dearest = (choose(costs, key=lambda kind: costs[kind][0]) for choose in (min, max))
    price, count, hours = costs[cheapest]
    about = datetime.timedelta(seconds=round(3600 * hours))
    upper = f" ({cheapest}) to {costs[dearest][0]:.2f} ({dearest})" if len(costs) > 1 else f" ({cheapest})"
    return (
        f"an estimate: about {about} on {count} rented machines and the head, {price:.2f}{upper} US dollars by the "
        "file's prices, without storage and the start of machines"
    )


def _cost(machines: Rented, kind: str, each: int, seconds: Sequence[float], workers: int) -> tuple[float, int, float]:
    """Dollars, number of machines and hours, if all machines are of one kind with room for ``each`` trials."""
    count = min(math.ceil(min(workers, len(seconds)) / each), machines.most)
    at_once = min(workers, count * each)
    hours = max([sum(seconds) / at_once, *seconds]) / 3600
    worker = machines.workers[kind] * (hours + machines.idle)
    return machines.head * (hours + machines.idle) + count * worker, count, hours
