"""Zero-shot logits beside a cache of clips, one matrix of which is trained: what Tip- and Treff-Adapter share."""

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
    """The papers' choices.

    Attributes:
        alpha: weight of the cache, >= 0.
        beta: its sharpness, >= 0.
        epochs: full-batch AdamW steps, >= 0; 0 is training-free.
        learning_rate: at the start of a half cosine, > 0.
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
    """The support set, and the trained matrix."""

    support: Support
    parameters: Parameters
    weight: Tensor
    attention: Callable[[ClipFeatures, Support, Tensor], Tensor]
    """How much clips look at each support clip, from clips, support and weight; shape (*stack, b, s)."""


def fit(fitted: Fitted) -> Fitted:
    """Train the weight in place, as the authors do: AdamW with eps 1e-4 and PyTorch's weight decay of 0.01."""
    import torch

    from mgcl.methods.few_shot import _training as training

    support, parameters = fitted.support, fitted.parameters
    training.descend(
        lambda: predict(fitted, support.clips).logits,
        support.labels,
        (fitted.weight,),
        optimiser=lambda weights: torch.optim.AdamW(weights, lr=parameters.learning_rate, eps=1e-4, fused=True),
        epochs=parameters.epochs,
        cosine=True,
    )
    return fitted


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Scaled cosines with the prompts, plus alpha exp(-beta (1 - attention)) times the support's labels."""
    from mgcl.methods.few_shot import _cache as cache
    from mgcl.transport.cost import inner

    support, parameters = fitted.support, fitted.parameters
    affinities = cache.affinity(fitted.attention(clips, support, fitted.weight), parameters.beta)
    return Prediction({
        "coarse_cache": parameters.alpha * cache.read(affinities, support.one_hot),
        "contrast": support.logit_scale * inner(clips.clip, support.prompts),
    })  # fmt: skip
