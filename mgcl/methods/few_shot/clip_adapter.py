"""CLIP-Adapter: a residual bottleneck on clip embeddings (Gao et al. 2021, arXiv 2110.04544, Eq. 3-6).

Logits are the scaled cosines of x' = unit(r relu(relu(x W_1) W_2) + (1 - r) x) with the prompts. W_1 and W_2 are learnt
by cross-entropy. The authors' text adapter is left out, as in their own image experiments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mgcl.methods.few_shot import _prompts as prompts
from mgcl.methods.method import ClipFeatures, Prediction, Shares, Support, explain_nothing
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parameters. Ratio and bottleneck are the authors'; steps and learning rate are chosen on development classes.

    Attributes:
        ratio: r, the weight of the adapted embedding in the sum, in 0..1.
        reduction: ratio of d to the bottleneck's width, >= 1.
        epochs: full-batch AdamW steps, >= 0; 0 keeps the random initial matrices.
        learning_rate: initial learning rate, > 0; it decays along a half cosine.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip", "prompt")

    ratio: float = 0.2
    reduction: int = 4
    epochs: int = 50
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("learning_rate",), at_least_zero=("ratio", "epochs"), at_least_one=("reduction",))
        if self.ratio > 1:
            raise ValueError(f"ratio must be at most 1, got {self.ratio}")


@dataclass(frozen=True)
class Fitted:
    """Support set with the bottleneck's two matrices."""

    support: Support
    ratio: float
    down: Float[Tensor, "*stack w d"]
    up: Float[Tensor, "*stack d w"]


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Train the bottleneck on the support clips. Its initial matrices are seeded by the episode."""
    from mgcl.methods.few_shot import _training as training

    d = support.prompts.shape[-1]
    down, up = _start(support, d, max(1, d // parameters.reduction))
    fitted = Fitted(support, parameters.ratio, down, up)
    training.descend(
        lambda: predict(fitted, support.clips).logits,
        support.labels,
        (down, up),
        optimiser=lambda weights: training.decaying_adamw(
            weights, learning_rate=parameters.learning_rate, epochs=parameters.epochs
        ),
        epochs=parameters.epochs,
    )
    return fitted


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return the scaled cosines of the adapted clips with the prompts."""
    from mgcl.transport.cost import inner, unit

    hidden = inner(inner(clips.clip, fitted.down).relu(), fitted.up).relu()
    adapted = unit(fitted.ratio * hidden + (1 - fitted.ratio) * clips.clip)
    return Prediction({"contrast": fitted.support.logit_scale * inner(adapted, fitted.support.prompts)})


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Contribution of each class's prompt to the class's logit: all of it."""
    return prompts.shares(predict(fitted, clip), fitted.support)


def _start(support: Support, d: int, width: int) -> tuple[Tensor, Tensor]:
    """Draw initial matrices uniformly in ±1/sqrt(inputs), as torch's linear layers do; the same on every device."""
    import torch

    drawn = []
    for seed in support.seeds.flatten().tolist():
        random = torch.Generator().manual_seed(seed)
        drawn.append([2 * torch.rand(shape, generator=random) - 1 for shape in ((width, d), (d, width))])
    down, up = (torch.stack(each).to(support.prompts.device) for each in zip(*drawn, strict=True))
    stack = support.seeds.shape
    return (down / d**0.5).reshape(*stack, width, d), (up / width**0.5).reshape(*stack, d, width)


explain = explain_nothing
