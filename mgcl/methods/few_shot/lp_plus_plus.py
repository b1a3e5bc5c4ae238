"""LP++: a linear probe whose classes blend weights and sentences (Huang et al., CVPR 2024, arXiv 2404.02285).

Logits are x·(w_c + α_c t_c). Initially w_c is the sum of the class's clips, and α is ``text_weight`` times the clips'
mean cosine with their prompts. w descends with momentum; its step size comes from the log-loss's Lipschitz constant.
α has its own step size and descends every tenth step. The released code selects the step that is best on validation
clips; here the number of steps is fixed.
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

    from mgcl.methods.few_shot._expansion import Expansion

VERSION = 1
_MOMENTUM = 0.9
_BLOCK = 10


@dataclass(frozen=True)
class Parameters:
    """Parameters. Steps are the released code's; the text weight, 250 there, is chosen on development classes.

    Attributes:
        epochs: full-batch steps, >= 0; 0 keeps the initial weights.
        text_weight: ratio of the initial α to the clips' mean cosine with their prompts, >= 0.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip", "prompt")

    epochs: int = 300
    text_weight: float = 25.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_zero=("epochs", "text_weight"))


@dataclass(frozen=True)
class Fitted:
    """Support set with the two blocks of the probe."""

    support: Support
    expansion: Expansion
    """w, as a sum over the support clips: descent from a sum of clips never leaves their span."""
    alpha: Float[Tensor, "*stack way"]


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Minimise the weighted log-loss from the released code's initial weights."""
    import torch

    from mgcl.methods.few_shot._expansion import Expansion
    from mgcl.transport.cost import inner

    clips, one_hot, n = support.clips.clip, support.one_hot, len(support.labels)
    labels, weight = (one_hot > 0).to(clips), one_hot.sum(-1)[:, None]
    cosines = inner(clips, support.prompts)
    kernel, coefficients = inner(clips, clips), one_hot.expand(*clips.shape[:-2], *one_hot.shape)
    alpha = parameters.text_weight * (cosines * one_hot).sum((-2, -1), keepdim=True) / n
    alpha = alpha.squeeze(-1).expand(*cosines.shape[:-2], cosines.shape[-1])
    greatest = torch.linalg.eigvalsh(kernel.double())[..., -1].to(clips)
    step = 4 * n / torch.where(greatest > 0, greatest, 1.0)
    step_alpha = n / (4 * cosines.square().sum(-2).amax(-1)).clamp_min(1e-12)
    velocity = torch.zeros_like(coefficients)
    for epoch in range(1, parameters.epochs + 1):
        logits = kernel @ coefficients + alpha.unsqueeze(-2) * cosines
        slope = weight * (logits.softmax(-1) - labels) / n
        velocity = _MOMENTUM * velocity + slope
        coefficients = coefficients - step[..., None, None] * velocity
        if epoch % _BLOCK == 0:
            alpha = alpha - step_alpha[..., None] * (slope * cosines).sum(-2)
    return Fitted(support, Expansion(coefficients, support.labels, n), alpha)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return x·w_c, split by the class of the support clips, and α_c x·t_c."""
    from mgcl.transport.cost import inner

    text = fitted.alpha.unsqueeze(-2) * inner(clips.clip, fitted.support.prompts)
    return Prediction({**fitted.expansion.scores(inner(clips.clip, fitted.support.clips.clip)), "contrast": text})


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Exact contributions of each support clip and each prompt to the logit of its class."""
    from mgcl.transport.cost import inner

    clips, _ = fitted.expansion.shares(inner(clip.clip, fitted.support.clips.clip)[0])
    return prompts.shares(predict(fitted, clip), fitted.support, {"clips": clips})


explain = explain_nothing
