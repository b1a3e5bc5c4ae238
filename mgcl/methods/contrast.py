"""The multi-grained contrast of fused clips with class explanations (MGCL Eq. 13-20), and its adapters."""

from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgcl.records import Matching
from mgcl.transport import Similarity, inner, similarity, unit

Initialisation = Literal["halves", "audio", "random"]


@dataclass(frozen=True)
class Adapters:
    """The trainable part: theta of Eq. 22. A fusing matrix is stored as its audio and its caption half."""

    coarse: Float[Tensor, "*stack 2 d d"]
    """W_c."""
    fine: Float[Tensor, "*stack 2 d d"]
    """W_f."""
    last: Float[Tensor, "*stack d d"]
    """W_l."""


def initial_adapters(d: int, initialisation: Initialisation, *, seeds: Int[Tensor, "*stack"]) -> Adapters:
    """W_c and W_f as [I/2 ; I/2] ("halves"), [I/2 ; 0] ("audio"), or random; W_l as I or random; no bias.

    Random matrices are uniform in +-1/sqrt(inputs), seeded an episode, the same on every device.
    """
    stack, device = seeds.shape, seeds.device
    if initialisation == "random":
        drawn = [_random(d, seed) for seed in seeds.flatten().tolist()]
        coarse, fine, last = (torch.stack(each).to(device) for each in zip(*drawn, strict=True))
        return Adapters(coarse.reshape(*stack, 2, d, d), fine.reshape(*stack, 2, d, d), last.reshape(*stack, d, d))
    eye = torch.eye(d, device=device)
    halves = torch.stack([eye / 2, eye / 2 if initialisation == "halves" else 0 * eye])
    fusing = halves.expand(*stack, 2, d, d)
    return Adapters(fusing.clone(), fusing.clone(), eye.expand(*stack, d, d).clone())


def _random(d: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)

    def uniform(inputs: int, *shape: int) -> Tensor:
        bound: float = inputs**-0.5
        return torch.rand(*shape, generator=random) * 2 * bound - bound

    return uniform(2 * d, 2, d, d), uniform(2 * d, 2, d, d), uniform(d, d, d)


def choose_sentences(
    explanations: Float[Tensor, "*stack way all d"], count: int, seeds: Int[Tensor, "*stack"] | None
) -> Float[Tensor, "*stack way n_e d"]:
    """At most ``count`` explanations of each class: the first, or a draw seeded by the episode."""
    if seeds is None:
        return explanations[..., :count, :]
    drawn = [
        np.random.default_rng(seed).permutation(explanations.shape[-2])[:count] for seed in seeds.flatten().tolist()
    ]
    order = torch.from_numpy(np.stack(drawn)).to(explanations.device).view(*seeds.shape, 1, -1, 1)
    return torch.take_along_dim(explanations, order, -2)


def fuse_clips(
    audio: Float[Tensor, "*stack b d"] | None,
    caption: Float[Tensor, "*stack b d"] | None,
    fusing: Float[Tensor, "*stack 2 d d"],
) -> Float[Tensor, "*stack b d"]:
    """W_c [audio ; caption] (Eq. 13), with each half multiplied by its own block; an absent half adds nothing."""
    halves = fusing.unbind(-3)
    fused = [inner(x, half) for x, half in zip((audio, caption), halves, strict=True) if x is not None]
    if not fused:
        raise ValueError("nothing to fuse: give the audio, the caption, or both")
    return reduce(torch.add, fused)


def fuse_segments(
    segments: Float[Tensor, "*stack b n d"] | None,
    caption: Float[Tensor, "*stack b d"] | None,
    fusing: Float[Tensor, "*stack 2 d d"],
    last: Float[Tensor, "*stack d d"],
) -> Float[Tensor, "*stack b segments d"]:
    """W_l W_f [segment ; caption] (Eq. 17); the caption alone is one segment.

    Exact rewrites: a caption is multiplied once a clip, not once a segment; W_l and W_f's audio half become one
    matrix first where there are more segments than dimensions.
    """
    audio_half, caption_half = fusing.unbind(-3)
    fused = []
    if segments is not None:
        rows = segments.flatten(-3, -2)
        if rows.shape[-2] > rows.shape[-1]:
            rows = inner(rows, inner(last, audio_half.mT))
        else:
            rows = inner(inner(rows, audio_half), last)
        fused.append(rows.view(segments.shape))
    if caption is not None:
        fused.append(inner(inner(caption, caption_half), last).unsqueeze(-2))
    if not fused:
        raise ValueError("nothing to fuse: give the segments, the caption, or both")
    return reduce(torch.add, fused)


def coarse_contrast(
    fused: Float[Tensor, "*stack b d"], explanations: Float[Tensor, "*stack way n_e d"], late_weighting_scale: float
) -> Float[Tensor, "*stack b way"]:
    """Late weighting: softmax of the cosines with a class's explanations weighs these cosines (Eq. 14-16)."""
    cosines = inner(unit(fused), explanations.flatten(-3, -2))
    cosines = cosines.reshape(*cosines.shape[:-1], *explanations.shape[-3:-1])
    return ((late_weighting_scale * cosines).softmax(-1) * cosines).sum(-1)


def fine_contrast(
    fused: Float[Tensor, "*stack b n d"], explanations: Float[Tensor, "*stack way n_e d"], matching: Matching
) -> Similarity:
    """Matched similarity of a clip's fused segments with a class's explanations (Eq. 17-19)."""
    return similarity(unit(fused), explanations, matching)
