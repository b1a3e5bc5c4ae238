"""What a report compares, as data: a sweep names it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mgcl.methods.variants import BASELINES, GROUPS, REFERENCE, SERIES, VARIANTS, Series


@dataclass(frozen=True)
class Outline:
    """Rows of a report, by variant names; what a table lacks of them is passed over."""

    order: tuple[str, ...] = tuple(VARIANTS)
    """As they should stand; others follow by name."""
    groups: Mapping[str, Sequence[str]] = field(default_factory=lambda: GROUPS)
    """Heading -> the rows that are printed under it; others stand last."""
    reference: str = REFERENCE
    """The row that the others are compared with."""
    baselines: tuple[str, ...] = BASELINES
    """Rows that pictures show beside it; the first is what its gain is measured from."""
    series: tuple[Series, ...] = SERIES
