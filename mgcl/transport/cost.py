"""Unit vectors and their cosines, the ground cost of every match."""

import torch
from jaxtyping import Float
from torch import Tensor


def unit(x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
    """Scale every vector to length 1; a zero vector stays zero, so its cosine with everything is 0."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length > 0, length, 1.0)


def cosine(x: Float[Tensor, "a d"], y: Float[Tensor, "b d"]) -> Float[Tensor, "a b"]:
    """Cosines between two lists of unit vectors."""
    return x @ y.T


def pairwise_cosine(x: Float[Tensor, "a n d"], y: Float[Tensor, "b m d"]) -> Float[Tensor, "n m a b"]:
    """Cosines between the n unit segments of each of a clips and the m of each of b.

    The pairs of clips come last and lie side by side in memory, as the solver wants them: the segments of
    ``y`` are put in segment-major order before the product, so that no large array is permuted after it.
    """
    (a, n, d), (b, m, _) = x.shape, y.shape
    product = x.reshape(a * n, d) @ y.transpose(0, 1).reshape(m * b, d).T
    return product.reshape(a, n, m, b).permute(1, 2, 0, 3)
