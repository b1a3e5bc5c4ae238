"""What a report compares, as data; a sweep defines it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mgcl.methods.series import SERIES, Series
from mgcl.methods.variants import BASELINES, GROUPS, REFERENCE, VARIANTS


@dataclass(frozen=True)
class Outline:
    """Order, groups and compared rows of a report, by variant name; variants that a table lacks are skipped."""

    order: tuple[str, ...] = tuple(VARIANTS)
    """Variants in printed order; other rows follow, sorted by name."""
    groups: Mapping[str, Sequence[str]] = field(default_factory=lambda: GROUPS)
    """Heading -> variants whose rows are printed under it; other rows come last."""
    reference: str = REFERENCE
    """The row that the others are compared with."""
    baselines: tuple[str, ...] = BASELINES
    """Rows that pictures show beside the reference; the reference's gain is measured from the first."""
    series: tuple[Series, ...] = SERIES
