"""Prototypical networks on frozen features: the squared distance to each class's mean (Snell et al. 2017, Eq. 1-2).

The paper trains the embedding on episodes. Here it is the frozen backbone's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mgcl.methods.method import ClipFeatures, Prediction, Support, explain_nothing

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """No parameters: the distance is squared Euclidean, as in the paper."""

    reads: ClassVar[tuple[str, ...]] = ("clip",)


@dataclass(frozen=True)
class Fitted:
    """Each class's mean clip embedding."""

    prototypes: Float[Tensor, "*stack way d"]


def fit(support: Support, _parameters: Parameters) -> Fitted:
    """Average the support clips of each class (Eq. 1)."""
    return Fitted(support.one_hot.T @ support.clips.clip / support.shot)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return minus the squared distance to each prototype (Eq. 2)."""
    difference = clips.clip.unsqueeze(-2) - fitted.prototypes.unsqueeze(-3)
    return Prediction({"prototype": -difference.square().sum(-1)})


explain = explain_nothing
