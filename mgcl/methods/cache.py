"""The multi-grained key-value cache (MGCL Eq. 1-12): support clips are keys, their labels the values."""

import torch
from jaxtyping import Float
from torch import Tensor

from mgcl.records import Matching
from mgcl.transport import Similarity, cosine, similarity


def affinity(cosines: Float[Tensor, "b s"], beta: float) -> Float[Tensor, "b s"]:
    """exp(-beta (1 - similarity)) (Eq. 1; Tip-Adapter's sharpness)."""
    return torch.exp(-beta * (1 - cosines))


def coarse_affinity(query: Float[Tensor, "b d"], keys: Float[Tensor, "s d"], beta: float) -> Float[Tensor, "b s"]:
    """Affinity of clip embeddings, unit vectors (Eq. 1)."""
    return affinity(cosine(query, keys), beta)


def fine_affinity(
    query: Float[Tensor, "b n d"], keys: Float[Tensor, "s n d"], beta: float, matching: Matching
) -> Similarity:
    """Affinity of matched segments, unit vectors (Eq. 3-10); ``converged`` is the matching's."""
    matched = similarity(query, keys, matching)
    return Similarity(affinity(matched.value, beta), matched.converged)


def read(
    affinities: Float[Tensor, "b s"], values: Float[Tensor, "s way"], *, per_shot: int = 1
) -> Float[Tensor, "b way"]:
    """The cache's answer: affinities times one-hot labels (Eq. 2, 11), divided by ``per_shot``."""
    return affinities @ values / per_shot


def without_itself(affinities: Float[Tensor, "s s"]) -> Float[Tensor, "s s"]:
    """Support-to-support affinities in which no clip finds its own key."""
    return affinities - torch.diag_embed(affinities.diagonal())
