"""Metrics of ranked lists: average precision of classes, and recall and average precision of retrieval."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def average_precision(scores: Floats, truth: NDArray[np.bool_], weights: Floats | None = None) -> Floats:
    """Average precision of each class: the sum over thresholds of precision times the step in recall.

    Clips of equal score share a threshold, as in ``sklearn.metrics.average_precision_score``.

    Args:
        scores: score of each clip and class, shape (clips, classes).
        truth: whether a clip is of a class, shape (clips, classes).
        weights: how often each clip counts, one row per resample, shape (resamples, clips); None: once.

    Returns:
        Shape (resamples, classes); one row without weights. NaN where a class has no clip.
    """
    times = np.ones((1, len(scores))) if weights is None else weights
    found = [_one_class(scores[:, each], truth[:, each], times) for each in range(scores.shape[1])]
    return np.stack(found, axis=1) if found else np.zeros((len(times), 0))


def _one_class(scores: Floats, truth: NDArray[np.bool_], weights: Floats) -> Floats:
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    taken = weights[:, order]
    hits = (taken * truth[order]).cumsum(1)[:, ends]
    listed = taken.cumsum(1)[:, ends]
    precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
    area = (np.diff(hits, axis=1, prepend=0) * precision).sum(1)
    positives = hits[:, -1]
    return np.asarray(np.divide(area, positives, out=np.full_like(area, np.nan), where=positives > 0))


def mean_over_classes(values: Floats) -> Floats:
    """Mean over the classes whose value is a number; classes without a clip, which are NaN, are left out.

    Args:
        values: one number per class, shape (resamples, classes).

    Returns:
        Shape (resamples,); 0 where no class has a number.
    """
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0).sum(1) / np.maximum(known.sum(1), 1))


def recall_at(relevant: NDArray[np.bool_], k: int) -> Floats:
    """Whether one of the first k items of each list is relevant: 0 or 1, shape (queries,).

    Args:
        relevant: relevance of the items of each query in the order of ``ranked``, shape (queries, items).
        k: number of first items.
    """
    return np.asarray(relevant[:, :k].any(1), float)


def average_precision_at(relevant: NDArray[np.bool_], k: int) -> Floats:
    """Average precision of the first k items of each list, in 0..1, shape (queries,).

    It is the sum of the precision at each relevant item among the first k, divided by the number of relevant items or
    by k, whichever is less.

    Args:
        relevant: as in ``recall_at``; every query has a relevant item.
        k: number of first items.
    """
    first = relevant[:, :k]
    precision = first.cumsum(1) / np.arange(1, first.shape[1] + 1)
    return np.asarray((first * precision).sum(1) / np.minimum(relevant.sum(1), k))


def ranked(similarities: Floats, relevant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Relevance of the items of each query, the most similar first, shape (queries, items).

    Of items that are equally similar those that are not relevant come first, so that a model that finds all items
    alike gains nothing by it, and the result does not depend on the items' order.

    Args:
        similarities: shape (queries, items).
        relevant: whether an item is relevant to a query, shape (queries, items).
    """
    order = np.lexsort((relevant, -similarities))
    return np.take_along_axis(relevant, order, axis=1)
