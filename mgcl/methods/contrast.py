"""The multi-grained contrast of fused clips with class explanations (MGCL Eq. 13-20), and its adapters."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mgcl.records import Matching
from mgcl.transport import Similarity, similarity, unit

Initialisation = Literal["halves", "audio", "random"]


@dataclass(frozen=True)
class Adapters:
    """The trainable part: theta of Eq. 22. A fusing matrix is stored as its audio and its caption half."""

    coarse: Float[Tensor, "2 d d"]
    """W_c."""
    fine: Float[Tensor, "2 d d"]
    """W_f."""
    last: Float[Tensor, "d d"]
    """W_l."""


def initial_adapters(d: int, initialisation: Initialisation, *, seed: int, device: torch.device) -> Adapters:
    """W_c and W_f as [I/2 ; I/2] ("halves"), [I/2 ; 0] ("audio"), or random; W_l as I or random; no bias.

    Random matrices are uniform in +-1/sqrt(inputs), seeded, the same on every device.
    """
    if initialisation == "random":
        random = torch.Generator().manual_seed(seed)

        def uniform(inputs: int, *shape: int) -> Tensor:
            bound: float = inputs**-0.5
            return (torch.rand(*shape, generator=random) * 2 * bound - bound).to(device)

        return Adapters(uniform(2 * d, 2, d, d), uniform(2 * d, 2, d, d), uniform(d, d, d))
    eye = torch.eye(d, device=device)
    halves = torch.stack([eye / 2, eye / 2 if initialisation == "halves" else 0 * eye])
    return Adapters(halves, halves.clone(), eye)


def fuse(
    audio: Float[Tensor, "*#batch d"] | None,
    caption: Float[Tensor, "*#batch d"] | None,
    weight: Float[Tensor, "2 d d"],
) -> Float[Tensor, "*batch d"]:
    """W [audio ; caption] (Eq. 13, 17), with each half multiplied by its own block; an absent half adds nothing."""
    if audio is not None and caption is not None:
        return audio @ weight[0].T + caption @ weight[1].T
    if audio is not None:
        return audio @ weight[0].T
    if caption is not None:
        return caption @ weight[1].T
    raise ValueError("nothing to fuse: give the audio, the caption, or both")


def coarse_contrast(
    fused: Float[Tensor, "b d"], explanations: Float[Tensor, "way n_e d"], late_weighting_scale: float
) -> Float[Tensor, "b way"]:
    """Late weighting: softmax of the cosines with a class's explanations weighs these cosines (Eq. 14-16)."""
    cosines = torch.einsum("bd,wed->bwe", unit(fused), explanations)
    return ((late_weighting_scale * cosines).softmax(-1) * cosines).sum(-1)


def fine_contrast(
    fused: Float[Tensor, "b n d"], explanations: Float[Tensor, "way n_e d"], matching: Matching
) -> Similarity:
    """Matched similarity of a clip's fused segments with a class's explanations (Eq. 17-19)."""
    return similarity(unit(fused), explanations, matching)
