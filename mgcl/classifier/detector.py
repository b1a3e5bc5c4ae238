"""Detection of events in recordings with a fitted classifier."""

import warnings
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgcl.classifier.answers import Answer
from mgcl.classifier.calibration import cross_fitted
from mgcl.classifier.detection import Detection, Thresholds, best_thresholds, cell_edges, detections
from mgcl.classifier.fitted import Fitted
from mgcl.classifier.model import Model
from mgcl.classifier.sounds import decoded
from mgcl.errors import ClassifierError, MgclWarning

BACKGROUND = "background"
"""Class that is taken as no event where nothing else is said."""
WINDOW, HOP, SHORTEST, GAP = 1.0, 0.25, 0.9, 1.0
"""Defaults in seconds; see ``Rules``. Chosen on development classes of the soundscapes (docs/classifier.md)."""
_UNLEARNT = 0.5


@dataclass(frozen=True)
class Rules:
    """How events are found; see ``mgcl.classifier.detection``."""

    thresholds: Mapping[str, Thresholds]
    """Class -> thresholds. Classes of the model that are missing here have no events: the background."""
    window: float = WINDOW
    """Length of a window in seconds, at most that of the backbone's input."""
    hop: float = HOP
    """Seconds from one window's start to the next, > 0."""
    shortest: float = SHORTEST
    """Least length of an event, in seconds."""
    gap: float = GAP
    """Least pause between two events of one class, in seconds."""


@dataclass(frozen=True)
class Found:
    """The events of one recording."""

    events: tuple[Detection, ...]
    seconds: float
    """Length of the recording, in seconds."""


def detect(classifier: Fitted, path: Path, rules: Rules, *, watch: Callable[[], object] = lambda: None) -> Found:
    """Find the events in a recording of any length, which is decoded as a stream.

    Memory grows by 4 bytes per class and window: 144 kB per hour for five classes and two windows per second. A window
    that is silent, or that the classifier rejects, has probability 0 of every class.

    Args:
        classifier: fitted, without captions of the user's.
        path: the recording.
        rules: how events are found.
        watch: called once per window.

    Raises:
        ClassifierError: the classifier was fitted with captions, or the window or the hop is out of range.
        DataError: the file cannot be decoded; names it.
    """
    labels = {str(label): label for label in classifier.classes_.tolist()}
    columns = [labels[label] for label in rules.thresholds]
    starts, stops, flat = array("d"), array("d"), array("f")
    for each in classifier.windows(path, every=rules.hop, length=rules.window):
        answer = decoded(each)
        starts.append(answer.start)
        stops.append(answer.stop)
        flat.extend(_row(answer, columns))
        watch()
    probabilities = np.array(flat, np.float32).reshape(len(starts), len(columns))
    events = detections(
        cell_edges(starts, stops), probabilities, rules.thresholds, shortest=rules.shortest, gap=rules.gap
    )
    return Found(tuple(events), float(stops[-1]))


def _row(answer: Answer, columns: list[object]) -> list[float]:
    known = (answer.labels is not None or answer.named) and not answer.silent
    return [answer.probabilities[label] if known else 0.0 for label in columns]  # type: ignore[index]


def learnt_thresholds(model: Model) -> dict[str, float]:
    """Class -> threshold of greatest F1 on the support clips, each scored by a fit without it.

    A model of several labels per clip has its thresholds from its fit.

    If a class has too few clips to leave one out, every threshold is 0.5, with a warning.
    """
    labels = [str(label) for label in model.classes.labels]
    if model.several is not None:
        return dict(zip(labels, model.several.thresholds, strict=True))
    if min(model.support.counts) < (least := 1 + model.learner.least_shots):
        warnings.warn(
            f"a class has fewer than {least} clips: thresholds cannot be learnt from them, and are {_UNLEARNT:g}; add "
            "clips, or give thresholds: `on`",
            MgclWarning,
            stacklevel=2,
        )
        return dict.fromkeys(labels, _UNLEARNT)
    logits = cross_fitted(model.support, model.learner, seed=int(model.support.seeds))
    truth = model.support.labels.numpy()[:, None] == np.arange(len(labels))
    found = best_thresholds(model.probabilities(logits.numpy()), truth)
    return dict(zip(labels, found.tolist(), strict=True))


def chosen_thresholds(
    model: Model, *, on: Mapping[str, float], off: Mapping[str, float], background: str | None
) -> dict[str, Thresholds]:
    """Thresholds of every class but the background: those given, else learnt ones.

    Args:
        model: the fitted model.
        on: class -> threshold that an event must reach; the key "" stands for all other classes; missing: learnt.
        off: class -> threshold that ends an event, likewise; missing: as ``on``.
        background: class of the model whose sounds are no events; None: there is none.

    Raises:
        ClassifierError: a class is unknown, or a threshold is out of range; names it.
    """
    labels = [str(label) for label in model.classes.labels]
    for name, given in (("on", on), ("off", off), ("background", {} if background is None else {background: 0.5})):
        if unknown := sorted(given.keys() - {*labels, ""}):
            raise ClassifierError(f"`{name}` {unknown[0]}: no class of the model, which knows {', '.join(labels)}")
        for label, threshold in given.items():
            if not 0 < threshold <= 1:
                raise ClassifierError(f"`{name}` {label} {threshold:g}: a threshold is above 0, and at most 1")
    learnt = {} if "" in on else learnt_thresholds(model)
    found = {}
    for label in labels:
        if label != background:
            start = on.get(label, on.get("", learnt.get(label, _UNLEARNT)))
            end = off.get(label, off.get("", start))
            if end > start:
                raise ClassifierError(f"`off` {end:g} of {label}: is above `on`, {start:.3g}; lower it")
            found[label] = Thresholds(start, end)
    return found
