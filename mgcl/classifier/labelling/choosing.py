"""Which window a person is asked about next. All functions are pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgcl.classifier.index.index import Rows

MARGIN, NEAREST, FARTHEST = "margin", "nearest", "farthest"
"""Ways to choose: least margin between the two most probable classes, nearest to a class, farthest from all classes."""
RANDOM_EVERY = 5
"""One window of so many is chosen at random from the whole index, and kept for tests."""
_NEAREST, _DRAWN = 500, 500
"""Windows of the pool: the nearest of each class, and drawn ones."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Windows that the model scored, among which the most informative is looked for."""

    rows: Rows
    """Rows of the index, rising, shape (pool,)."""
    scores: NDArray[np.float64]
    """How likely each class sounds, shape (pool, classes): probabilities, or cosines before the first fit."""
    margins: NDArray[np.float64] | None
    """Probability of the most probable class less that of the second, shape (pool,); None: there is no model yet."""


def pool_rows(cosines: NDArray[np.float32], usable: NDArray[np.bool_], seed: int) -> Rows:
    """Rows of a pool: those nearest to each class by their embedding, and some that are drawn.

    Args:
        cosines: of all windows with each class, shape (windows, classes).
        usable: whether a window may be taken, shape (windows,).
        seed: seed of the draw.
    """
    rows = np.flatnonzero(usable)
    near = min(_NEAREST, len(rows))
    taken = [rows[np.argpartition(-column, near - 1)[:near]] for column in cosines[rows].T] if near else []
    drawn = np.random.default_rng(seed).choice(rows, min(_DRAWN, len(rows)), replace=False)
    found: Rows = np.unique(np.concatenate([drawn, *taken]))
    return found


def least_margin(pool: Pool, allowed: NDArray[np.bool_]) -> int | None:
    """The allowed row of least margin; None: none is allowed, or there is no model yet.

    Args:
        pool: the scored windows.
        allowed: whether each window of the pool may be asked about, shape (pool,).
    """
    return None if pool.margins is None else _best(pool.rows, -pool.margins, allowed)


def nearest(pool: Pool, column: int, allowed: NDArray[np.bool_]) -> int | None:
    """The allowed row that most likely has the class of this column; None: none is allowed."""
    return _best(pool.rows, pool.scores[:, column], allowed)


def farthest(pool: Pool, allowed: NDArray[np.bool_]) -> int | None:
    """The allowed row whose likeliest class is the least likely; None: none is allowed."""
    return _best(pool.rows, -pool.scores.max(1), allowed)


def drawn(rows: Rows, seed: int) -> int | None:
    """One of the rows, drawn with equal chances; None: there are none."""
    return int(np.random.default_rng(seed).choice(rows)) if len(rows) else None


def _best(rows: Rows, scores: NDArray[np.float64], allowed: NDArray[np.bool_]) -> int | None:
    return int(rows[np.where(allowed, scores, -np.inf).argmax()]) if allowed.any() else None
