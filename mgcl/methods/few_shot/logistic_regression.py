"""Logistic regression on clip embeddings, scikit-learn's: what most users of frozen features do first.

MAEB (arXiv 2602.16008) evaluates embeddings by it. There is no intercept; each class's clips weigh together as much as
another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgcl.methods.few_shot import _probe as probe
from mgcl.methods.method import Support, explain_nothing

VERSION = 1


@dataclass(frozen=True)
class Parameters(probe.Parameters):
    """C is chosen on development classes."""

    reads: ClassVar[tuple[str, ...]] = ("clip",)


def fit(support: Support, parameters: Parameters) -> probe.Fitted:
    """Fit on the support clips alone."""
    return probe.fit(support, parameters.c, sentences=False)


predict = probe.predict
shares = probe.shares
explain = explain_nothing
