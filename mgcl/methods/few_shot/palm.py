"""PALM: learning in the embedding space of the class sentences (Hanif et al., EMNLP 2024, arXiv 2409.19806, Eq. 4-5).

A learnt sentence is t'_c = unit((1 - σ(l_c)) t_c + σ(l_c) z_c), where z and l are trained by cross-entropy. The authors
draw the initial values at random. Here they are the means of these draws, z = 0 and l = 1/2. Training thus starts at
zero-shot, and results do not depend on the order of the classes.
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
    """Parameters. The learning rate, 0.05 in the released code, is chosen on development classes for full batches.

    Attributes:
        epochs: full-batch steps of SGD with momentum 0.9, >= 0; 0 is zero-shot.
        learning_rate: learning rate of SGD, > 0.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip", "prompt")

    epochs: int = 50
    learning_rate: float = 0.001

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("learning_rate",), at_least_zero=("epochs",))


@dataclass(frozen=True)
class Fitted:
    """Support set with the learnt class sentences."""

    support: Support
    sentences: Float[Tensor, "*stack way d"]


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Learn z and l on the support clips."""
    import torch

    from mgcl.methods.few_shot import _training as training
    from mgcl.transport.cost import inner

    prompts, clips = support.prompts, support.clips.clip
    context, mixing = torch.zeros_like(prompts), torch.full_like(prompts[..., :1], 0.5)
    training.descend(
        lambda: support.logit_scale * inner(clips, _learnt(prompts, context, mixing)),
        support.labels,
        (context, mixing),
        optimiser=lambda weights: torch.optim.SGD(weights, lr=parameters.learning_rate, momentum=0.9).step,
        epochs=parameters.epochs,
    )
    return Fitted(support, _learnt(prompts, context, mixing))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return the scaled cosines with the learnt sentences."""
    from mgcl.transport.cost import inner

    return Prediction({"contrast": fitted.support.logit_scale * inner(clips.clip, fitted.sentences)})


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Contribution of each class's learnt sentence to the class's logit: all of it."""
    return prompts.shares(predict(fitted, clip), fitted.support)


def _learnt(prompts: Tensor, context: Tensor, mixing: Tensor) -> Float[Tensor, "*stack way d"]:
    from mgcl.transport.cost import unit

    share = mixing.sigmoid()
    return unit((1 - share) * prompts + share * context)


explain = explain_nothing
