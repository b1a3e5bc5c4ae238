"""Matching networks on frozen features: attention over the support clips (Vinyals et al. 2016, Eq. 1 and sec. 2.1.1).

The paper trains the embeddings on episodes, and its full-context option conditions them on the support set with an
LSTM that is trained likewise. Here the embeddings are the frozen backbone's, and that option is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgcl.methods.method import ClipFeatures, Prediction, Support, explain_nothing

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """No parameters: the attention is a softmax over plain cosines, as in the paper."""

    reads: ClassVar[tuple[str, ...]] = ("clip",)


@dataclass(frozen=True)
class Fitted:
    """Support set."""

    support: Support


def fit(support: Support, _parameters: Parameters) -> Fitted:
    """Store the support set."""
    return Fitted(support)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return the logarithm of the total attention to each class's support clips."""
    from mgcl.transport.cost import inner

    support = fitted.support
    attention = inner(clips.clip, support.clips.clip).softmax(-1)
    return Prediction({"attention": (attention @ support.one_hot).log()})


explain = explain_nothing
