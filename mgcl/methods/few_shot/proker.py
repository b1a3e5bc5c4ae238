"""ProKeR: kernel ridge regression of the zero-shot residuals (Bendou et al., CVPR 2025, arXiv 2501.11175).

f(x) = f_zs(x) + k(x, S) (K + λI)⁻¹ (Y - f_zs(S)), with k(x, y) = exp(-β (1 - cos)). As in the released code, f_zs are
plain cosines with the prompts. If λ is large and f_zs(S) is 0, it equals Tip-Adapter with α = 1 / λ.
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


@dataclass(frozen=True)
class Parameters:
    """Parameters, chosen on development classes; the authors choose them on each data set's validation clips.

    Attributes:
        beta: sharpness of the kernel, >= 0.
        ridge: λ, > 0.
        prior_scale: factor of the prompts' cosines in f_zs, >= 0; the authors' is 1.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip", "prompt")

    beta: float = 3.0
    ridge: float = 1.0
    prior_scale: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("ridge",), at_least_zero=("beta", "prior_scale"))


@dataclass(frozen=True)
class Fitted:
    """Support set with the coefficients of its clips."""

    support: Support
    parameters: Parameters
    expansion: Expansion


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Solve for the coefficients. Clips are weighted so that all classes have equal weight."""
    from mgcl.methods.few_shot._expansion import Expansion, ridge_coefficients

    left = (support.one_hot > 0).to(support.prompts) - _zero_shot(support, parameters, support.clips)
    kernel = _kernel(support, parameters, support.clips)
    solved = ridge_coefficients(kernel, left, parameters.ridge, support.one_hot.sum(-1))
    return Fitted(support, parameters, Expansion(solved, support.labels, len(support.labels)))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return the zero-shot scores and the contributions of the kernel."""
    kernel = _kernel(fitted.support, fitted.parameters, clips)
    prior = _zero_shot(fitted.support, fitted.parameters, clips)
    return Prediction({"contrast": prior, **fitted.expansion.scores(kernel)})


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Exact contributions of each support clip and each prompt to the logit of its class."""
    clips, _ = fitted.expansion.shares(_kernel(fitted.support, fitted.parameters, clip)[0])
    return prompts.shares(predict(fitted, clip), fitted.support, {"clips": clips})


def _zero_shot(support: Support, parameters: Parameters, clips: ClipFeatures) -> Float[Tensor, "*stack b way"]:
    from mgcl.transport.cost import inner

    return parameters.prior_scale * inner(clips.clip, support.prompts)


def _kernel(support: Support, parameters: Parameters, clips: ClipFeatures) -> Float[Tensor, "*stack b s"]:
    from mgcl.methods.few_shot import _cache as cache

    return cache.coarse_affinity(clips.clip, support.clips.clip, parameters.beta)


explain = explain_nothing
