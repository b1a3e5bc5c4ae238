"""Unit vectors and their cosines, the ground cost of every match. Leading dimensions are a stack of episodes."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import linear

_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def unit(x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
    """Scale every vector to length 1; a zero vector stays zero, so its cosine with everything is 0."""
    return x * _inverse_length(x)[..., None]


def _inverse_length(x: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(x, dim=-1)
    return 1 / torch.where(length > 0, length, 1.0)


def inner(x: Float[Tensor, "*stack a d"], y: Float[Tensor, "*stack b d"]) -> Float[Tensor, "*stack a b"]:
    """Inner products of the rows of x with those of y: their cosines, where both are unit vectors.

    Raises:
        ValueError: the rows differ in length, in dtype or in their stack.
    """
    if (x.shape[:-2], x.shape[-1], x.dtype) != (y.shape[:-2], y.shape[-1], y.dtype):
        raise ValueError(
            f"rows of one length, dtype and stack are needed, got {tuple(x.shape)} {x.dtype} and "
            f"{tuple(y.shape)} {y.dtype}"
        )
    if not (_ONEDNN and x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() and y.numel()):
        return x @ y.mT
    if x.dim() > 2:
        products = [inner(each, other) for each, other in zip(x, y, strict=True)]
        return products[0].unsqueeze(0) if len(products) == 1 else torch.stack(products)
    # oneDNN: float32 as MKL, and faster than MKL where the processor is not Intel's.
    return linear(x.to_mkldnn(), y.contiguous()).to_dense()


def pairwise_cosine(
    x: Float[Tensor, "*stack a n d"], y: Float[Tensor, "*stack b m d"]
) -> Float[Tensor, "n m *stack a b"]:
    """Cosines between the n segments of each of a clips and the m of each of b, of any length.

    A zero vector's cosine is 0. The pairs of clips come last and lie side by side in memory, as the solver wants
    them: the segments of ``y`` are put in segment-major order before the product, so that no large array is
    permuted after it.
    """
    (*stack, a, n, _), (b, m) = x.shape, y.shape[-3:-1]
    rows, columns = x.flatten(-3, -2), y.transpose(-3, -2).flatten(-3, -2)
    # The products are divided, not the vectors: there are fewer of them where gradients flow.
    lengths = _inverse_length(rows)[..., None] * _inverse_length(columns)[..., None, :]
    product = inner(rows, columns) * lengths
    return product.reshape(*stack, a, n, m, b).movedim((-3, -2), (0, 1))
