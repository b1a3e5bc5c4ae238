"""Multi-grained key-value cache (MGCL Eq. 1-12): support clips are the keys, their labels are the values."""

import torch
from jaxtyping import Float
from torch import Tensor

from mgcl.transport.cost import inner


def affinity(cosines: Float[Tensor, "*stack b s"], beta: float) -> Float[Tensor, "*stack b s"]:
    """Affinity exp(-beta (1 - cosine)) (Eq. 1, 10); beta is Tip-Adapter's sharpness."""
    return torch.exp(-beta * (1 - cosines))


def coarse_affinity(
    query: Float[Tensor, "*stack b d"], keys: Float[Tensor, "*stack s d"], beta: float
) -> Float[Tensor, "*stack b s"]:
    """Affinity between clip embeddings, which are unit vectors (Eq. 1)."""
    return affinity(inner(query, keys), beta)


def read(
    affinities: Float[Tensor, "*stack b s"], values: Float[Tensor, "s way"], *, per_shot: float = 1.0
) -> Float[Tensor, "*stack b way"]:
    """Logits of the cache: affinities times one-hot labels (Eq. 2, 11), divided by ``per_shot``."""
    return affinities @ values / per_shot


def without_itself(affinities: Float[Tensor, "*stack s s"]) -> Float[Tensor, "*stack s s"]:
    """Affinities between support clips with the diagonal set to 0, so that no clip matches its own key."""
    return affinities - torch.diag_embed(affinities.diagonal(dim1=-2, dim2=-1))
