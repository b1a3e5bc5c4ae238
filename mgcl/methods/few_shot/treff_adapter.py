"""Treff-Adapter: zero-shot logits plus a cross-attention linear model (Liang et al. 2023, arXiv 2305.17719).

One d x d matrix maps both queries and keys. Initially it is the identity, and the attention is a cosine. With
``epochs=0`` it stays the identity: the training-free version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.few_shot import _cached_zero_shot as cached_zero_shot
from mgcl.methods.method import ClipFeatures, Support, explain_nothing

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

VERSION = 1


@dataclass(frozen=True)
class Parameters(cached_zero_shot.Parameters):
    """Parameters with the paper's values, trained."""

    epochs: int = 20
    learning_rate: float = 1e-4


def fit(support: Support, parameters: Parameters) -> cached_zero_shot.Fitted:
    """Train the matrix on the support clips. The keys of a training clip include the clip itself."""
    import torch

    d = support.prompts.shape[-1]
    identity = torch.eye(d, device=support.prompts.device).expand(*support.seeds.shape, d, d).clone()
    return cached_zero_shot.fit(cached_zero_shot.Fitted(support, parameters, identity, _attention))


def _attention(clips: ClipFeatures, support: Support, weight: Tensor) -> Float[Tensor, "*stack b s"]:
    from mgcl.transport.cost import inner

    return inner(inner(clips.clip, weight), inner(support.clips.clip, weight))


predict = cached_zero_shot.predict
explain = explain_nothing
