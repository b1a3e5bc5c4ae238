"""Unit vectors and their cosines, which give the ground cost. Leading dimensions are a stack of episodes."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

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
    if not (_ONEDNN and x.device.type == "cpu" and x.dtype == torch.float32) or torch.compiler.is_exporting():
        return x @ y.mT
    if torch.is_grad_enabled() and (x.requires_grad or y.requires_grad):
        products: Tensor = _Inner.apply(x, y)  # type: ignore[no-untyped-call]
        return products
    return _onednn(x, y)


class _Inner(torch.autograd.Function):
    """Inner products by oneDNN whose gradients are computed by it too, without copies of transposed arrays."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return _onednn(x, y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (gradient,), (x, y), (for_x, for_y) = gradients, ctx.saved_tensors, ctx.needs_input_grad
        return (
            _onednn(gradient, y.mT) if for_x else None,
            _onednn(gradient.mT, x.mT) if for_y else None,
        )


def _onednn(x: Tensor, y: Tensor) -> Tensor:
    """Inner products on a CPU. oneDNN computes in float32, as MKL does, and is faster than MKL on AMD's processors."""
    if not (x.numel() and y.numel()):
        return x @ y.mT
    if x.dim() > 2:
        products = [_onednn(each, other) for each, other in zip(x, y, strict=True)]
        return products[0].unsqueeze(0) if len(products) == 1 else torch.stack(products)
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, y, None, "none", [], "")
    return result


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
