"""Logistic regression on clip embeddings, by scikit-learn: the usual first baseline on frozen features.

MAEB (arXiv 2602.16008) evaluates embeddings by it. There is no intercept. Clips are weighted so that all classes have
equal weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgcl.methods.few_shot import _probe as probe
from mgcl.methods.method import Support, explain_nothing

VERSION = 1


@dataclass(frozen=True)
class Parameters(probe.Parameters):
    """Parameters. C 10 is the value of a first look at ESC-10; none was chosen on development classes."""

    reads: ClassVar[tuple[str, ...]] = ("clip",)


def fit(support: Support, parameters: Parameters) -> probe.Fitted:
    """Fit on the support clips alone."""
    return probe.fit(support, parameters.c, sentences=False)


predict = probe.predict
shares = probe.shares
explain = explain_nothing
