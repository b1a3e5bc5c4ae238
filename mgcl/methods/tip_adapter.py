"""Tip-Adapter and Tip-Adapter-F: zero-shot logits and a key-value cache (Zhang et al., ECCV 2022, Eq. 3-6).

Without epochs it is the training-free Tip-Adapter; with epochs the keys are trained: Tip-Adapter-F. Made for CLIP, here
on clips' embeddings.
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
    """The paper's choices; alpha and beta are never searched on test data.

    Attributes:
        alpha: weight of the cache, >= 0.
        beta: its sharpness, >= 0.
        epochs: full-batch AdamW steps on the keys, >= 0; 0 is training-free.
        learning_rate: at the start of a half cosine, > 0.
    """

    alpha: float = 1.0
    beta: float = 5.5
    epochs: int = 0
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_ranges(self, positive=("learning_rate",), at_least_zero=("alpha", "beta", "epochs"))


@dataclass(frozen=True)
class Fitted:
    """The support set, and the cache's keys, trained or not."""

    support: Support
    parameters: Parameters
    keys: Float[Tensor, "*stack s d"]


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Take the support clips for keys, and train them if asked to."""
    from mgcl.methods import training

    fitted = Fitted(support, parameters, support.clips.clip.clone())
    training.descend(
        lambda: predict(fitted, support.clips).logits,
        support.labels,
        (fitted.keys,),
        optimiser=training.adamw(parameters.learning_rate),
        epochs=parameters.epochs,
        cosine=True,
    )
    return fitted


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Scaled cosines with the prompts, plus alpha times the cache (Eq. 5-6)."""
    from mgcl.methods import cache
    from mgcl.transport import inner

    support, parameters = fitted.support, fitted.parameters
    affinities = cache.affinity(inner(clips.clip, fitted.keys), parameters.beta)
    return Prediction({
        "coarse_cache": parameters.alpha * cache.read(affinities, support.values),
        "contrast": support.logit_scale * inner(clips.clip, support.prompts),
    })  # fmt: skip
