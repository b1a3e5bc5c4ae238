"""Treff-Adapter: zero-shot logits and a cross-attention linear model (Liang et al. 2023, arXiv 2305.17719).

A d x d matrix maps queries and keys alike; it starts as the identity, where the attention is a cosine. Without epochs
it stays there: the training-free version.
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
    """The paper's choices, trained."""

    epochs: int = 20
    learning_rate: float = 1e-4


def fit(support: Support, parameters: Parameters) -> cached_zero_shot.Fitted:
    """Train the map on the support clips; each sees itself among the keys."""
    import torch

    d = support.prompts.shape[-1]
    identity = torch.eye(d, device=support.prompts.device).expand(*support.seeds.shape, d, d).clone()
    return cached_zero_shot.fit(cached_zero_shot.Fitted(support, parameters, identity, _attention))


def _attention(clips: ClipFeatures, support: Support, weight: Tensor) -> Float[Tensor, "*stack b s"]:
    from mgcl.transport.cost import inner

    return inner(inner(clips.clip, weight), inner(support.clips.clip, weight))


predict = cached_zero_shot.predict
explain = explain_nothing
