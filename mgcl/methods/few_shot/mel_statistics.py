"""Nearest class mean on the average log-mel spectrum and loudness: what a data set allows without a backbone."""

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
    """No parameters: the distance is squared Euclidean, in dB squared."""

    reads: ClassVar[tuple[str, ...]] = ("mel_statistics",)


@dataclass(frozen=True)
class Fitted:
    """Each class's mean statistics, in dB."""

    means: Float[Tensor, "*stack way s"]


def fit(support: Support, _parameters: Parameters) -> Fitted:
    """Average the support clips of each class.

    Raises:
        ValueError: the clips have no mel statistics.
    """
    return Fitted(support.one_hot.T @ _statistics(support.clips) / support.shot)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return minus the mean squared distance to each class's mean, in dB squared."""
    difference = _statistics(clips).unsqueeze(-2) - fitted.means.unsqueeze(-3)
    return Prediction({"spectrum": -difference.square().mean(-1)})


def _statistics(clips: ClipFeatures) -> Float[Tensor, "*stack b s"]:
    if clips.mel_statistics is None:
        raise ValueError("these clips bring no mel statistics")
    return clips.mel_statistics


explain = explain_nothing
