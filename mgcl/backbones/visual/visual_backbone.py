"""The protocol of visual backbones: frames of a step of time in, one token out.

A visual backbone is one module, whose ``load(weights, device)`` returns its ``VisualBackbone``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Tensor

STEP = 0.64
"""Seconds per token: 16 frames at 25 frames per second, as the published audio-visual features have it."""


class VisualBackbone(Protocol):
    """Frozen weights, or a fixed formula, that embed frames. The same frames give the same bits on one machine."""

    name: str
    """Name in the catalogue, then the weights where there is a choice."""
    fingerprint: str
    """Hex digits of a hash of all weights, or of the version of the formula."""
    token_dim: int
    """Length of a token."""
    frames_per_step: int
    """Number of frames per token, at equal distances; the first stands at the step's beginning."""

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Reduce a frame of shape (height, width, 3) to what ``embed`` takes. Threads call it while they decode."""
        ...

    def embed(self, frames: NDArray[np.uint8]) -> Float[Tensor, "steps d"]:
        """Embed prepared frames of shape (steps, frames per step, ...) as float32 on the CPU."""
        ...


class VisualBackboneModule(Protocol):
    """The protocol of a visual backbone's module."""

    def load(self, weights: str | None = None, device: str = "cpu") -> VisualBackbone:
        """Load a visual backbone.

        Args:
            weights: a path or an id; None: the backbone's default weights, if it has any.
            device: a torch device.

        Raises:
            BackboneError: the weights are missing, or belong to another model; or the backbone has no weights, and some
                are given.
        """
        ...
