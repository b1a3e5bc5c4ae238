"""Zero-shot logits plus a cache of clips with one trained matrix: the shared part of Tip- and Treff-Adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mgcl.methods.method import ClipFeatures, Prediction, Support
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Parameters:
    """Parameters with the papers' values.

    Attributes:
        alpha: weight of the cache, >= 0.
        beta: sharpness of the cache, >= 0.
        epochs: full-batch AdamW steps, >= 0; 0 is training-free.
        learning_rate: initial learning rate, > 0; it decays along a half cosine.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip", "prompt")

    alpha: float = 1.0
    beta: float = 5.5
    epochs: int = 0
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("learning_rate",), at_least_zero=("alpha", "beta", "epochs"))


@dataclass(frozen=True)
class Fitted:
    """Support set with the trained matrix."""

    support: Support
    parameters: Parameters
    weight: Tensor
    attention: Callable[[ClipFeatures, Support, Tensor], Tensor]
    """Attention of clips to each support clip, shape (*stack, b, s), computed from clips, support and weight."""


def fit(fitted: Fitted) -> Fitted:
    """Train the weight in place by the authors' optimiser: AdamW with eps 1e-4 and PyTorch's weight decay of 0.01."""
    from mgcl.methods.few_shot import _training as training

    support, parameters = fitted.support, fitted.parameters
    training.descend(
        lambda: predict(fitted, support.clips).logits,
        support.labels,
        (fitted.weight,),
        optimiser=lambda weights: training.decaying_adamw(
            weights, learning_rate=parameters.learning_rate, epochs=parameters.epochs, eps=1e-4
        ),
        epochs=parameters.epochs,
    )
    return fitted


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return the scaled cosines with the prompts plus alpha exp(-beta (1 - attention)) times the support's labels."""
    from mgcl.methods.few_shot import _cache as cache
    from mgcl.transport.cost import inner

    support, parameters = fitted.support, fitted.parameters
    affinities = cache.affinity(fitted.attention(clips, support, fitted.weight), parameters.beta)
    return Prediction({
        "coarse_cache": parameters.alpha * cache.read(affinities, support.one_hot),
        "contrast": support.logit_scale * inner(clips.clip, support.prompts),
    })  # fmt: skip
