"""Ridge regression of one-hot labels on clip embeddings: W = (XᵀX + λI)⁻¹ XᵀY (Hoerl and Kennard 1970).

Few-shot work has it as R2D2's base learner (Bertinetto et al., ICLR 2019, Eq. 4-6), on frozen features here. There is
no intercept. It is solved in the samples' space, which is smaller: W = Xᵀ (XXᵀ + λI)⁻¹ Y.
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
    """The default is scikit-learn's.

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
    """The support set with its clips' coefficients."""

    support: Support
    expansion: Expansion


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Solve for the coefficients; each class's clips weigh together as much as another's."""
    from mgcl.methods.few_shot._expansion import Expansion, ridge_coefficients
    from mgcl.transport.cost import inner

    keys, weights = support.clips.clip, support.one_hot.sum(-1)
    kernel, targets = inner(keys, keys), (support.one_hot > 0).to(keys)
    solved = ridge_coefficients(kernel, targets.expand(*keys.shape[:-1], -1), parameters.ridge, weights)
    return Fitted(support, Expansion(solved, support.labels, len(support.labels)))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """XW, as what a class's own clips add, and the others."""
    from mgcl.transport.cost import inner

    return Prediction(fitted.expansion.scores(inner(clips.clip, fitted.support.clips.clip)))


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """What each support clip adds to the logit of its class; exact."""
    from mgcl.transport.cost import inner

    clips, _ = fitted.expansion.shares(inner(clip.clip, fitted.support.clips.clip)[0])
    return Shares({"clips": clips}, {}, fitted.support.prompts[:, None])


explain = explain_nothing
