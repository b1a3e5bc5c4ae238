"""Gaussian discriminant analysis added to zero-shot logits (Wang et al., ICLR 2024, arXiv 2402.04087, Eq. 5-9).

Classes have means μ and share one covariance Σ, estimated from all N support clips. Its shrunk inverse is
P = d ((N - 1) Σ + tr(Σ) I)⁻¹. Logits are the logit scale times x·t_c, plus α (x P μ_c - μ_c P μ_c / 2). If a class has
only one clip, it adds nothing to Σ, and the authors' rule falls back to zero-shot. Here Σ is then estimated from the
clips' segments; this is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from mgcl.methods.few_shot import _prompts as prompts
from mgcl.methods.method import ClipFeatures, Prediction, Shares, Support, explain_nothing
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parameters. α is chosen on development classes; the authors choose it on each data set's validation clips.

    Attributes:
        alpha: weight of the discriminant, >= 0.
        covariance: "pooled", or "identity", which makes the discriminant that of the nearest mean.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip", "segments", "prompt")

    alpha: float = 0.1
    covariance: Literal["pooled", "identity"] = "pooled"

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_zero=("alpha",))


@dataclass(frozen=True)
class Fitted:
    """Support set with the discriminant's weights and bias."""

    support: Support
    parameters: Parameters
    weights: Float[Tensor, "*stack way d"]
    """P μ."""
    bias: Float[Tensor, "*stack way"]
    """-μ P μ / 2."""


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Estimate class means and covariance from the support clips."""
    means = _means(support)
    weights = means if parameters.covariance == "identity" else _shrunk_inverse(_centred(support, means), means)
    return Fitted(support, parameters, weights, -(means * weights).sum(-1) / 2)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return alpha times the discriminant plus the scaled cosines with the prompts."""
    from mgcl.transport.cost import inner

    discriminant = inner(clips.clip, fitted.weights) + fitted.bias.unsqueeze(-2)
    contrast = fitted.support.logit_scale * inner(clips.clip, fitted.support.prompts)
    return Prediction({"discriminant": fitted.parameters.alpha * discriminant, "contrast": contrast})


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Exact contributions of each support clip and each prompt to the logit of its class.

    The class means are means of clips, so x P μ_c is a sum over the clips of class c. They share the bias equally.
    """
    from mgcl.transport.cost import inner

    support, parameters = fitted.support, fitted.parameters
    means = _means(support)
    seen = clip.clip if parameters.covariance == "identity" else _shrunk_inverse(_centred(support, means), clip.clip)
    each = (inner(support.clips.clip, seen) + fitted.bias[support.labels, None]) * support.one_hot.sum(-1)[:, None]
    return prompts.shares(
        predict(fitted, clip), support, {"discriminant": parameters.alpha * each[:, 0] / support.shot}
    )


def _means(support: Support) -> Float[Tensor, "*stack way d"]:
    return support.one_hot.T @ support.clips.clip / support.shot


def _centred(support: Support, means: Float[Tensor, "*stack way d"]) -> Float[Tensor, "*stack n d"]:
    """Subtract the class mean from the clips, or from their segments if a class has only one clip."""
    if min(support.counts) > 1:
        return support.clips.clip - means[..., support.labels, :]
    segments = support.clips.segments
    averages = (support.one_hot.T / support.shot) @ segments.mean(-2)
    return (segments - averages[..., support.labels, None, :]).flatten(-3, -2)


def _shrunk_inverse(
    centred: Float[Tensor, "*stack n d"], vectors: Float[Tensor, "*stack a d"]
) -> Float[Tensor, "*stack a d"]:
    """P times the vectors, solved in the space of the n centred vectors (Woodbury); 0 if the vectors do not vary."""
    import torch

    a, mu = centred.double(), vectors.double()
    n, d = a.shape[-2:]
    trace = a.square().sum((-2, -1))[..., None, None] / max(1, n - 1)
    shrinkage = torch.where(trace > 0, trace, 1.0)
    system = a @ a.mT + shrinkage * torch.eye(n, dtype=a.dtype, device=a.device)
    inside = torch.cholesky_solve(a @ mu.mT, torch.linalg.cholesky(system)).mT @ a
    solved: Tensor = torch.where(trace > 0, d * (mu - inside) / shrinkage, 0.0)
    return solved.to(vectors.dtype)


explain = explain_nothing
