"""Metrics: how a figure is computed from unit scores, how it is printed, and whether higher is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

Scores = Mapping[str, tuple[float, ...]]
"""Column -> one score per unit."""


@dataclass(frozen=True)
class Summary:
    """A figure over all units that is not a mean of unit scores, but a function of the means of several columns.

    One example is micro-F1 of the clips' hits, false alarms and misses, because a ratio of sums is a ratio of means.
    Another is the harmonic mean of two recalls.
    """

    columns: tuple[str, ...]
    """Names of the score columns that it reads."""
    of: Function
    """Function from means of the columns, shape (..., columns), to figures, shape (...); defined at module level.

    It must be finite for all possible means, including zeros, because resampled units may have nothing to count.
    """


@dataclass(frozen=True)
class Metric:
    """A figure that a task measures: the mean of the score column of its name, or a ``Summary`` of several columns.

    Raises:
        ValueError: ``interval`` is "t" with a summary; only a mean has a t interval.
    """

    name: str
    symbol: str = "%"
    """Printed unit. With "%" figures are in 0..1 and printed times 100; otherwise they are printed unscaled."""
    higher_is_better: bool = True
    decimals: int = 2
    """Number of printed decimals."""
    interval: Literal["t", "bootstrap"] = "t"
    """Kind of the 95 % interval over the units of a single block; over several blocks it is always a t interval."""
    summary: Summary | None = None
    chance: Callable[[Mapping[str, Any]], float] | None = None
    """Function from a cell's coordinates to the expected figure of a uniform guess; None: reports name no chance."""

    def __post_init__(self) -> None:
        if self.summary and self.interval == "t":
            raise ValueError(f'metric {self.name}: only a mean has a t interval; give interval="bootstrap"')

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the score columns that the figure is computed from."""
        return self.summary.columns if self.summary else (self.name,)

    @property
    def title(self) -> str:
        """Name at the start of a sentence: abbreviations keep their letters."""
        return self.name.capitalize() if self.name.islower() else self.name

    @property
    def factor(self) -> float:
        """Factor by which figures are multiplied when printed: 100 for "%", otherwise 1."""
        return 100.0 if self.symbol == "%" else 1.0

    @property
    def in_points(self) -> str:
        """Words for the unit of a difference: "points of accuracy", or the metric's name if it is not in "%"."""
        return f"points of {self.name}" if self.symbol == "%" else self.name

    @property
    def direction(self) -> int:
        """1 if higher is better, otherwise -1."""
        return 1 if self.higher_is_better else -1

    @property
    def of(self) -> Function | None:
        """Function of the summary; None if the figure is a mean."""
        return self.summary.of if self.summary else None

    @property
    def difference(self) -> Function | None:
        """Function from the means of ``paired`` to the difference of two figures; None: the mean is the difference."""
        return partial(_difference, self.summary.of) if self.summary else None

    @property
    def paired_interval(self) -> Literal["t", "bootstrap"]:
        """Kind of the interval of a difference on the same units of a single block."""
        return "bootstrap" if self.summary else "t"

    def text(self, figure: float, sign: str = "") -> str:
        """Printed form of a figure without the symbol; ``sign`` "+" prints the sign of a difference."""
        return f"{self.factor * figure:{sign}.{self.decimals}f}"

    def figure(self, scores: Scores) -> float:
        """Figure over the units of one trial, unscaled."""
        import numpy as np

        means = [sum(scores[name]) / len(scores[name]) for name in self.columns]
        return float(self.summary.of(np.array(means))) if self.summary else means[0]

    def measured(self, scores: Scores) -> bool:
        """Whether the scores have all columns of the metric; a failed trial has none, an older one may lack some."""
        return all(name in scores for name in self.columns)

    def units(self, scores: Scores) -> list[float] | list[tuple[float, ...]]:
        """One number per unit, or for a summary a tuple with one number per column."""
        if self.summary:
            return list(zip(*(scores[name] for name in self.columns), strict=True))
        return list(scores[self.name])

    def paired(self, one: Scores, other: Scores) -> list[float] | list[tuple[float, ...]]:
        """Per unit the difference of two trials' scores, or for a summary the columns of both trials."""
        if self.summary:
            return list(zip(*(scores[name] for scores in (one, other) for name in self.columns), strict=True))
        return [a - b for a, b in zip(one[self.name], other[self.name], strict=True)]


def _difference(of: Function, means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference of two rows' figures; ``means`` holds the means of both, shape (..., columns of both)."""
    half = means.shape[-1] // 2
    return of(means[..., :half]) - of(means[..., half:])
