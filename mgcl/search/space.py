"""Parameters that can be searched, with their ranges."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from mgcl.errors import SearchError


@dataclass(frozen=True)
class Range:
    """Range of one parameter's values, including its ends.

    Attributes:
        low: smallest value.
        high: largest value, above ``low``.
        log: draw uniformly on a logarithmic scale; needs ``low`` > 0.
        whole: draw whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        """Check the ends.

        Raises:
            SearchError: the range is empty or not finite, or does not fit ``log`` or ``whole``; names the ends.
        """
        ends = f"{self.low:g} to {self.high:g}"
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise SearchError(f"the range {ends} is empty: give the lower end first")
        if self.log and self.low <= 0:
            raise SearchError(f"the range {ends} is drawn on a logarithmic scale: choose a lower end above 0")
        if self.whole and (self.low % 1 or self.high % 1):
            raise SearchError(f"the range {ends} is of whole numbers")


SPACE: Mapping[str, Range] = {
    "alpha": Range(0.1, 10, log=True),
    "beta": Range(0.5, 20, log=True),
    "epsilon": Range(0.03, 0.5, log=True),
    "entropy_weight": Range(0, 0.5),
    "late_weighting_scale": Range(0.5, 100, log=True),
}
"""Parameters of the method ``mgcl`` that are searched by default."""

MORE: Mapping[str, Range] = {
    "logit_scale": Range(1, 200, log=True),
    "learning_rate": Range(1e-5, 1e-2, log=True),
    "epochs": Range(1, 60, whole=True),
    "leave_one_out": Range(0, 1, whole=True),
}
"""Parameters that are searched on request; for a boolean parameter 0 stands for False and 1 for True."""
