"""Ridge regression of one-hot labels on clip embeddings: W = (XᵀX + λI)⁻¹ XᵀY (Hoerl and Kennard 1970).

In few-shot work it is the base learner of R2D2 (Bertinetto et al., ICLR 2019, Eq. 4-6); here the features are frozen.
There is no intercept. It is solved in the samples' space, which is smaller: W = Xᵀ (XXᵀ + λI)⁻¹ Y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mgcl.methods.method import ClipFeatures, Prediction, Shares, Support, explain_nothing
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from mgcl.methods.few_shot._expansion import Expansion

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parameters. The default is scikit-learn's.

    Attributes:
        ridge: λ, > 0.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip",)

    ridge: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("ridge",))


@dataclass(frozen=True)
class Fitted:
    """Support set with the coefficients of its clips."""

    support: Support
    expansion: Expansion


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Solve for the coefficients. Clips are weighted so that all classes have equal weight."""
    from mgcl.methods.few_shot._expansion import Expansion, ridge_coefficients
    from mgcl.transport.cost import inner

    keys, weights = support.clips.clip, support.one_hot.sum(-1)
    kernel, targets = inner(keys, keys), (support.one_hot > 0).to(keys)
    solved = ridge_coefficients(kernel, targets.expand(*keys.shape[:-1], -1), parameters.ridge, weights)
    return Fitted(support, Expansion(solved, support.labels, len(support.labels)))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return XW, split into contributions of a class's own clips and of other classes' clips."""
    from mgcl.transport.cost import inner

    return Prediction(fitted.expansion.scores(inner(clips.clip, fitted.support.clips.clip)))


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Exact contribution of each support clip to the logit of its class."""
    from mgcl.transport.cost import inner

    clips, _ = fitted.expansion.shares(inner(clip.clip, fitted.support.clips.clip)[0])
    return Shares({"clips": clips}, {}, fitted.support.prompts[:, None])


explain = explain_nothing
