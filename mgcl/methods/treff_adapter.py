"""Treff-Adapter: zero-shot logits and a cross-attention linear model (Liang et al. 2023, arXiv 2305.17719).

A d x d matrix maps queries and keys alike; it starts as the identity, where the attention is a cosine. Without epochs
it stays there: the training-free version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.method import ClipFeatures, Prediction, Support, check_ranges, explain_nothing

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

VERSION = 1
explain = explain_nothing


@dataclass(frozen=True)
class Parameters:
    """The paper's choices.

    Attributes:
        alpha: weight of the attention, >= 0.
        beta: its sharpness, >= 0.
        epochs: full-batch AdamW steps, >= 0; 0 is training-free.
        learning_rate: at the start of a half cosine, > 0.
    """

    alpha: float = 1.0
    beta: float = 5.5
    epochs: int = 20
    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        check_ranges(self, positive=("learning_rate",), at_least_zero=("alpha", "beta", "epochs"))


@dataclass(frozen=True)
class Fitted:
    """The support set, and the map of queries and keys."""

    support: Support
    parameters: Parameters
    map: Float[Tensor, "*stack d d"]


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Train the map on the support clips; each sees itself among the keys."""
    import torch

    from mgcl.methods import training

    d = support.prompts.shape[-1]
    identity = torch.eye(d, device=support.prompts.device).expand(*support.seeds.shape, d, d).clone()
    fitted = Fitted(support, parameters, identity)
    training.descend(
        lambda: predict(fitted, support.clips).logits,
        support.labels,
        (fitted.map,),
        optimiser=training.adamw(parameters.learning_rate),
        epochs=parameters.epochs,
        cosine=True,
    )
    return fitted


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Scaled cosines with the prompts, plus alpha times what the attention reads."""
    from mgcl.methods import cache
    from mgcl.transport import inner

    support, parameters = fitted.support, fitted.parameters
    queries, keys = inner(clips.clip, fitted.map), inner(support.clips.clip, fitted.map)
    affinities = cache.affinity(inner(queries, keys), parameters.beta)
    return Prediction({
        "coarse_cache": parameters.alpha * cache.read(affinities, support.values),
        "contrast": support.logit_scale * inner(clips.clip, support.prompts),
    })  # fmt: skip
