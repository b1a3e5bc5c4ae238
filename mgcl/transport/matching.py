"""How segments are matched. Planning reads it: it loads no torch."""

from dataclasses import dataclass, field
from typing import Literal

from mgcl.parameters import check_fields, check_ranges

Gradient = Literal["detached", "exact"]


@dataclass(frozen=True)
class Matching:
    """How segments are matched.

    Attributes:
        kind: "transport" (the paper); "uniform": every pair counts alike; "best-match": each segment of x
            takes the segment of y it is closest to. Among a method's parameters it is called ``matching``.
        epsilon: of the transport, > 0.
        tolerance: of the transport, > 0.
        max_iterations: of the transport, >= 1; None allows 100 at epsilon >= 0.1 and 2,000 below.
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
        """Refuse what no matching can be.

        Raises:
            ValueError: names the field and the value.
        """
        check_fields(self)
        check_ranges(
            self,
            positive=("epsilon", "tolerance"),
            at_least_zero=("entropy_weight",),
            at_least_one=("max_iterations",),
        )
