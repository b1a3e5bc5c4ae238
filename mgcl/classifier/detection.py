"""Sound events from the class probabilities of a recording's windows: hysteresis, shortest length, smallest gap."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mgcl.events import Event


@dataclass(frozen=True, order=True)
class Detection(Event):
    """A sound event that a model found in a recording.

    Attributes:
        probability: greatest probability of the class within the event, in 0..1.
    """

    probability: float


@dataclass(frozen=True)
class Thresholds:
    """The two thresholds of one class (hysteresis)."""

    on: float
    """Probability that an event reaches at least once, in 0..1."""
    off: float
    """Probability that an event keeps from its onset to its offset, in 0..1; at most ``on``."""


def detections(
    edges: NDArray[np.float64],
    probabilities: NDArray[np.float32],
    thresholds: Mapping[str, Thresholds],
    *,
    shortest: float,
    gap: float,
) -> list[Detection]:
    """Find the events of every class in a recording.

    An event is a run of cells with at least the threshold ``off``, one of which has at least ``on``. Events of one
    class that are less than ``gap`` apart are one; what is then shorter than ``shortest`` is left out. Events of
    different classes may overlap.

    Args:
        edges: edges of the cells in seconds, rising, shape (cells + 1,); see ``cell_edges``.
        probabilities: shape (cells, classes), in 0..1.
        thresholds: class -> thresholds, in the order of the columns.
        shortest: least length of an event, in seconds.
        gap: least pause between two events of one class, in seconds.

    Returns:
        The events, by onset.
    """
    found = [
        event
        for column, (label, pair) in zip(probabilities.T, thresholds.items(), strict=True)
        for event in _joined(_runs(edges, column, label, pair), gap)
        if event.offset - event.onset >= shortest
    ]
    return sorted(found)


def cell_edges(starts: Sequence[float], stops: Sequence[float]) -> NDArray[np.float64]:
    """Edges of the cells that a recording's windows speak for, in seconds, shape (windows + 1,).

    A window speaks for the time that is nearest to its middle. The first cell begins with the first window, and the
    last one ends with the last.

    Args:
        starts: starts of the windows in seconds, rising.
        stops: ends of the windows in seconds, rising.
    """
    middles = (np.asarray(starts, np.float64) + np.asarray(stops, np.float64)) / 2
    return np.concatenate([[starts[0]], (middles[1:] + middles[:-1]) / 2, [stops[-1]]])


def best_thresholds(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Threshold of greatest F1 of every class against the rest, shape (classes,).

    It lies halfway between the least probability that it accepts and the next lower one. Of several thresholds with one
    F1 it is the highest.

    Args:
        probabilities: of clips that the model was not fitted on, shape (clips, classes).
        truth: whether a clip is of a class, shape (clips, classes); every class has a clip.
    """
    return np.array([_best_threshold(*columns) for columns in zip(probabilities.T, truth.T, strict=True)])


def _best_threshold(probabilities: NDArray[np.float64], own: NDArray[np.bool_]) -> float:
    order = np.argsort(-probabilities, kind="stable")
    falling = np.append(probabilities[order], 0.0)
    hits, accepted = np.cumsum(own[order]), np.arange(1, len(own) + 1)
    f1 = 2 * hits / (accepted + own.sum())
    f1[falling[:-1] == falling[1:]] = -1  # equal probabilities are accepted together
    last = int(f1.argmax())
    return float((falling[last] + falling[last + 1]) / 2)


def _runs(
    edges: NDArray[np.float64], probabilities: NDArray[np.float32], label: str, thresholds: Thresholds
) -> Iterator[Detection]:
    changes = np.flatnonzero(np.diff(probabilities >= thresholds.off, prepend=False, append=False))
    for first, end in zip(changes[::2], changes[1::2], strict=True):
        run = probabilities[first:end]
        if (run >= thresholds.on).any():  # in float32, as the probabilities are
            yield Detection(float(edges[first]), float(edges[end]), label, float(run.max()))


def _joined(events: Iterator[Detection], gap: float) -> list[Detection]:
    """Join events of one class, given by onset, that are less than ``gap`` seconds apart."""
    found: list[Detection] = []
    for event in events:
        if found and event.onset - found[-1].offset < gap:
            most = max(found[-1].probability, event.probability)
            found[-1] = replace(found[-1], offset=event.offset, probability=most)
        else:
            found.append(event)
    return found
