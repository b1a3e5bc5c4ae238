"""Metrics: how a figure comes of what a trial's units scored, how it is printed, and which of two is the better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

Scores = Mapping[str, tuple[float, ...]]
"""Column -> one number per unit."""


@dataclass(frozen=True)
class Summary:
    """A figure over all units that is no mean of unit scores: a function of the means of several columns.

    Micro-F1 is one, of each clip's hits, false alarms and misses: a ratio of sums is a ratio of means. The harmonic
    mean of two recalls is another.
    """

    columns: tuple[str, ...]
    """Names of the scores that it reads."""
    of: Function
    """Means of the columns, shape (..., columns), to figures, shape (...): a function that its module names.

    It is finite for all means that there may be, zeros too: units that are drawn again may hold nothing to count.
    """


@dataclass(frozen=True)
class Metric:
    """One of the figures that a task measures: the mean of the scores of its name, or a ``Summary`` of several.

    Raises:
        ValueError: a summary has a t interval, which only a mean has.
    """

    name: str
    symbol: str = "%"
    """"%": figures are in 0..1 and printed times 100; else they are printed as they are."""
    higher_is_better: bool = True
    decimals: int = 2
    """That are printed."""
    interval: Literal["t", "bootstrap"] = "t"
    """How a figure over the units of one block gets its 95 % interval; of several blocks it is a t interval."""
    summary: Summary | None = None

    def __post_init__(self) -> None:
        if self.summary and self.interval == "t":
            raise ValueError(f'metric {self.name}: only a mean has a t interval; give interval="bootstrap"')

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the scores that it is made of."""
        return self.summary.columns if self.summary else (self.name,)

    @property
    def factor(self) -> float:
        """What a figure is printed times."""
        return 100.0 if self.symbol == "%" else 1.0

    @property
    def in_points(self) -> str:
        """What differences are of: "points of accuracy", or where figures are printed as they are, the name."""
        return f"points of {self.name}" if self.symbol == "%" else self.name

    @property
    def direction(self) -> int:
        """1 if the higher figure is the better, else -1."""
        return 1 if self.higher_is_better else -1

    @property
    def of(self) -> Function | None:
        """The summary's function; None: the mean."""
        return self.summary.of if self.summary else None

    @property
    def difference(self) -> Function | None:
        """A function of the means of what ``paired`` gives: the difference of two figures; None: their mean."""
        return partial(_difference, self.summary.of) if self.summary else None

    @property
    def paired_interval(self) -> Literal["t", "bootstrap"]:
        """As ``interval``, of a difference on the same units."""
        return "bootstrap" if self.summary else "t"

    def text(self, figure: float, sign: str = "") -> str:
        """A figure, or with ``sign`` "+" a difference, as it is printed, without the symbol."""
        return f"{self.factor * figure:{sign}.{self.decimals}f}"

    def figure(self, scores: Scores) -> float:
        """Of the units of one trial."""
        import numpy as np

        means = [sum(scores[name]) / len(scores[name]) for name in self.columns]
        return float(self.summary.of(np.array(means))) if self.summary else means[0]

    def measured(self, scores: Scores) -> bool:
        """Whether all its columns are there: a failed trial has none, an older one may lack some."""
        return all(name in scores for name in self.columns)

    def units(self, scores: Scores) -> list[float] | list[tuple[float, ...]]:
        """Each unit's number, or the numbers of its columns."""
        if self.summary:
            return list(zip(*(scores[name] for name in self.columns), strict=True))
        return list(scores[self.name])

    def paired(self, one: Scores, other: Scores) -> list[float] | list[tuple[float, ...]]:
        """What each unit has under two methods: the difference of its numbers, or for a summary both's columns."""
        if self.summary:
            return list(zip(*(scores[name] for scores in (one, other) for name in self.columns), strict=True))
        return [a - b for a, b in zip(one[self.name], other[self.name], strict=True)]


def _difference(of: Function, means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of figures, of both rows' means, shape (..., columns of both)."""
    half = means.shape[-1] // 2
    return of(means[..., :half]) - of(means[..., half:])
