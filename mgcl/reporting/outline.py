"""What a report compares, as data; a sweep defines it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mgcl.methods.variants import BASELINES, GROUPS, REFERENCE, VARIANTS


@dataclass(frozen=True)
class Series:
    """Variants that differ in one number. A report plots accuracy against this number."""

    name: str
    axis: str
    """Label of the axis: what the number counts."""
    numbers: Mapping[str, int]
    """Variant -> its number."""
    zero: str
    """Tick label of 0."""
    about: str
    """First sentence of the figure's caption."""


SERIES = (
    Series(
        "explanations",
        "explanations a class",
        {"category-name": 0, **{f"explanations-{number}": number for number in (2, 4, 6, 8)}},
        "class\nname",
        "Accuracy against explanations a class; at the left the class's name alone.",
    ),
)
"""Series that a report plots: MGCL Table 3."""


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
