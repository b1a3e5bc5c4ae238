"""A visual backbone without weights: colour, texture and motion in the cells of a coarse grid.

A frame is reduced to 32 x 32 pixels. A token has eight numbers for each of 4 x 4 cells, averaged over the frames of a
step: luminance, two opponent colours, contrast, change of luminance, change of colour, and motion to the right and
downwards. Motion is the product of the changes of luminance in space and time (the normal flow's numerator; Horn and
Schunck, "Determining optical flow", 1981).
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mgcl.errors import BackboneError

VERSION = 1
"""Version of the formula. Increase it whenever the same frames give other numbers."""

_SIDE, _CELLS, _FRAMES = 32, 4, 8
_OPPONENT = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [-0.25, -0.25, 0.5]], np.float32)
"""Luminance, red against green, and blue against yellow, of red, green and blue."""
_GAINS = np.array([1, 4, 4, 4, 8, 8, 40, 40], np.float32)
"""Factors that bring the eight numbers to similar ranges."""


class MotionGrid:
    """Visual backbone of colour and motion on a grid."""

    name, fingerprint = "motion_grid", f"motion_grid {VERSION}"
    token_dim, frames_per_step = 8 * _CELLS**2, _FRAMES

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Reduce a frame to 32 x 32 pixels, whatever its aspect ratio."""
        if pixels.shape[:2] == (_SIDE, _SIDE):
            return pixels
        return np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX))

    def embed(self, frames: NDArray[np.uint8]) -> Float[Tensor, "steps d"]:
        """Embed frames of shape (steps, 8, 32, 32, 3). Changes reach from a step's first frame to its last."""
        planes = (frames.astype(np.float32) / 255 - 0.5) @ _OPPONENT.T
        luminance = planes[..., 0]
        before, after = planes[:, :-1], planes[:, 1:]
        change = after - before
        middle = (before[..., 0] + after[..., 0]) / 2
        down, right = np.gradient(middle, axis=(2, 3))
        numbers = np.stack(
            [
                *(_cells(planes[..., plane]) for plane in range(3)),
                np.sqrt(np.maximum(_cells(luminance**2) - _cells(luminance) ** 2, 0)),
                _cells(np.abs(change[..., 0])),
                _cells(np.abs(change[..., 1:]).sum(-1)),
                _cells(-right * change[..., 0]),
                _cells(-down * change[..., 0]),
            ],
            axis=-1,
        )
        return torch.from_numpy((numbers * _GAINS).reshape(len(frames), -1))


def load(weights: str | None = None, device: str = "cpu") -> MotionGrid:
    """Return the backbone.

    Args:
        weights: None, since there are none.
        device: ignored: the formula runs on the CPU.

    Raises:
        BackboneError: weights are given.
    """
    del device
    if weights is not None:
        raise BackboneError(f"{weights}: motion_grid has no weights; leave `visual_weights` out")
    return MotionGrid()


def _cells(plane: NDArray[Any]) -> NDArray[np.float32]:
    """Mean over frames and over the pixels of a cell: (steps, frames, side, side) to (steps, cells, cells)."""
    size = _SIDE // _CELLS
    steps, frames = plane.shape[:2]
    cells: NDArray[np.float32] = plane.reshape(steps, frames, _CELLS, size, _CELLS, size).mean((1, 3, 5), np.float32)
    return cells
