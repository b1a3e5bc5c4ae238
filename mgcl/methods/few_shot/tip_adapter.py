"""Tip-Adapter and Tip-Adapter-F: zero-shot logits plus a key-value cache (Zhang et al., ECCV 2022, Eq. 3-6).

With ``epochs=0`` it is the training-free Tip-Adapter. Otherwise the keys are trained: Tip-Adapter-F. It was made for
CLIP's image embeddings; here it reads clip embeddings of audio.
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
    """Parameters with the paper's values, training-free. alpha and beta are never searched on test data."""


def fit(support: Support, parameters: Parameters) -> cached_zero_shot.Fitted:
    """Use the support clips as keys, and train the keys if ``epochs`` > 0."""
    keys = support.clips.clip.clone()
    return cached_zero_shot.fit(cached_zero_shot.Fitted(support, parameters, keys, _attention))


def _attention(clips: ClipFeatures, _support: Support, keys: Tensor) -> Float[Tensor, "*stack b s"]:
    from mgcl.transport.cost import inner

    return inner(clips.clip, keys)


predict = cached_zero_shot.predict
explain = explain_nothing
