"""Linear probe by logistic regression, with or without the classes' prompts as samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.method import ClipFeatures, Prediction, Shares, Support
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from mgcl.methods.few_shot._expansion import Expansion


@dataclass(frozen=True)
class Parameters:
    """Parameters of a linear probe.

    Attributes:
        c: inverse weight of the penalty |W|² / 2, > 0; scikit-learn's C.
    """

    c: float = 10.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("c",))


@dataclass(frozen=True)
class Fitted:
    """Samples with their coefficients."""

    support: Support
    samples: Float[Tensor, "*stack m d"]
    expansion: Expansion


def fit(support: Support, c: float, *, sentences: bool) -> Fitted:
    """Minimise the weighted log-loss.

    If ``sentences`` is set, the classes' prompts are samples too. A prompt weighs as much as all clips of its class.
    """
    import torch

    from mgcl.methods.few_shot import _logistic as logistic
    from mgcl.methods.few_shot._expansion import Expansion

    samples, labels, weights = support.clips.clip, support.labels, support.one_hot.sum(-1)
    if sentences:
        samples = torch.cat([samples, support.prompts], -2)
        way = support.prompts.shape[-2]
        labels = torch.cat([labels, torch.arange(way, device=labels.device)])
        weights = torch.cat([weights, weights.new_full((way,), support.shot)])
    solved = logistic.coefficients(samples, labels, weights, c)
    return Fitted(support, samples, Expansion(solved, labels, len(support.labels)))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return logits, split into contributions of a class's own samples and of other classes' samples."""
    from mgcl.transport.cost import inner

    return Prediction(fitted.expansion.scores(inner(clips.clip, fitted.samples)))


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Exact contributions of each support clip and each prompt to the logit of its class."""
    from mgcl.transport.cost import inner

    clips, sentences = fitted.expansion.shares(inner(clip.clip, fitted.samples)[0])
    known = {"sentences": sentences} if sentences.numel() else {}
    return Shares({"clips": clips}, known, fitted.support.prompts[:, None])
