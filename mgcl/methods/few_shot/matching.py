"""Matching networks on frozen features: attention over the support clips (Vinyals et al. 2016, Eq. 1 and sec. 2.1.1).

The paper trains the embeddings by episodes, and its full-context option conditions them on the support set with an
LSTM trained likewise; here they are the backbone's, frozen, and that option is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgcl.methods.method import ClipFeatures, Prediction, Support, explain_nothing

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Nothing to choose: a softmax over plain cosines, as printed."""

    reads: ClassVar[tuple[str, ...]] = ("clip",)


@dataclass(frozen=True)
class Fitted:
    """The support set itself."""

    support: Support


def fit(support: Support, _parameters: Parameters) -> Fitted:
    """Keep the support set."""
    return Fitted(support)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """The logarithm of the attention that each class's clips draw."""
    from mgcl.transport.cost import inner

    support = fitted.support
    attention = inner(clips.clip, support.clips.clip).softmax(-1)
    return Prediction({"attention": (attention @ support.one_hot).log()})


explain = explain_nothing
