"""Variants that differ in one number, which a report plots accuracy against."""

from collections.abc import Mapping
from dataclasses import dataclass


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
