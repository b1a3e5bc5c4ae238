"""Unit vectors and their cosines, which give the ground cost. Leading dimensions are a stack of episodes."""

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
    """Inner products between the rows of x and the rows of y: their cosines if all rows are unit vectors.

    Raises:
        ValueError: x and y differ in the length of rows, in dtype or in their stack.
    """
    if (x.shape[:-2], x.shape[-1], x.dtype) != (y.shape[:-2], y.shape[-1], y.dtype):
        raise ValueError(
            f"rows of one length, dtype and stack are needed, got {tuple(x.shape)} {x.dtype} and "
            f"{tuple(y.shape)} {y.dtype}"
        )
    onednn = _ONEDNN and not torch.compiler.is_exporting()  # its layout has no counterpart in exported graphs
    if not (onednn and x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() and y.numel()):
        return x @ y.mT
    if x.dim() > 2:
        products = [inner(each, other) for each, other in zip(x, y, strict=True)]
        return products[0].unsqueeze(0) if len(products) == 1 else torch.stack(products)
    # oneDNN computes in float32, as MKL does, and is faster than MKL on processors that are not Intel's.
    return linear(x.to_mkldnn(), y.contiguous()).to_dense()


def pairwise_cosine(
    x: Float[Tensor, "*stack a n d"], y: Float[Tensor, "*stack b m d"]
) -> Float[Tensor, "n m *stack a b"]:
    """Cosines between all segments of a clips (n per clip) and all segments of b clips (m per clip).

    Segments may have any length; a zero vector's cosine is 0. The pairs of clips are the last dimensions and lie side
    by side in memory, as the solver needs them. For this the segments of ``y`` are put in segment-major order before
    the product, so that no large array is permuted after it.
    """
    (*stack, a, n, _), (b, m) = x.shape, y.shape[-3:-1]
    rows, columns = x.flatten(-3, -2), y.transpose(-3, -2).flatten(-3, -2)
    # Scale the products, not the vectors: with gradients there are fewer of them.
    lengths = _inverse_length(rows)[..., None] * _inverse_length(columns)[..., None, :]
    product = inner(rows, columns) * lengths
    return product.reshape(*stack, a, n, m, b).movedim((-3, -2), (0, 1))
