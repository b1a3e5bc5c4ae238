"""Settings of the matching between segments. Planning imports this module, so that it must not load torch."""

from dataclasses import dataclass, field
from typing import Literal

from mgcl.parameters import check_fields, check_ranges

Gradient = Literal["detached", "exact"]


@dataclass(frozen=True)
class Matching:
    """Settings of the matching between segments.

    Attributes:
        kind: "transport" (the paper); "uniform": every pair has equal weight; "best-match": each segment of x
            is matched to the closest segment of y. Among a method's parameters it is called ``matching``.
        epsilon: temperature of the transport's kernel, > 0.
        tolerance: relative marginal error at which a transport problem has converged, > 0.
        max_iterations: iteration limit of the transport, >= 1; None allows 100 at epsilon >= 0.1 and 2,000 below.
        entropy_weight: λ >= 0; adds λ h(T) / log(n m) to the similarity (MGCL Eq. 5). 0 is Eq. 9 as printed.
        gradient: "detached" (the plan is a constant) or "exact".
    """

    kind: Literal["transport", "uniform", "best-match"] = field(default="transport", metadata={"flat": "matching"})
    epsilon: float = 0.1
    tolerance: float = 1e-4
    max_iterations: int | None = None
    entropy_weight: float = 0.0
    gradient: Gradient = "detached"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValueError: a field is out of range; the message names the field and the value.
        """
        check_fields(self)
        check_ranges(
            self,
            positive=("epsilon", "tolerance"),
            at_least_zero=("entropy_weight",),
            at_least_one=("max_iterations",),
        )
