"""Multi-grained contrast between fused clips and class explanations (MGCL Eq. 13-20), with its adapters."""

from functools import reduce
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgcl.transport.cost import inner, unit
from mgcl.transport.matching import Matching
from mgcl.transport.similarity import Similarity, similarity

Initialisation = Literal["halves", "audio", "random"]


class Adapters(NamedTuple):
    """Trainable matrices, theta of Eq. 22. A fusing matrix is stored as two halves, one for audio, one for captions."""

    coarse_audio: Float[Tensor, "*stack d d"]
    """Audio half of W_c; ``coarse_caption`` is its caption half."""
    coarse_caption: Float[Tensor, "*stack d d"]
    fine_audio: Float[Tensor, "*stack d d"]
    """Audio half of W_f; ``fine_caption`` is its caption half."""
    fine_caption: Float[Tensor, "*stack d d"]
    last: Float[Tensor, "*stack d d"]
    """W_l."""


def initial_adapters(d: int, initialisation: Initialisation, *, seeds: Int[Tensor, "*stack"]) -> Adapters:
    """Return initial adapters, without bias.

    W_c and W_f are [I/2 ; I/2] ("halves"), [I/2 ; 0] ("audio"), or "random"; W_l is I, or random with the others.
    Random matrices are uniform in +-1/sqrt(inputs), with one seed per episode, and are the same on every device.
    """
    stack, device = seeds.shape, seeds.device
    if initialisation == "random":
        drawn = torch.stack([_random(d, seed) for seed in seeds.flatten().tolist()], 1).to(device)
        return Adapters(*(each.reshape(*stack, d, d).clone() for each in drawn))
    eye = torch.eye(d, device=device)
    audio, caption = eye / 2, eye / 2 if initialisation == "halves" else 0 * eye
    starts = (audio, caption, audio, caption, eye)
    return Adapters(*(start.expand(*stack, d, d).clone() for start in starts))


def _random(d: int, seed: int) -> Tensor:
    """Draw five d x d matrices: four fusing halves, whose layers have 2 d inputs, and the last layer, which has d."""
    inputs = torch.tensor([2.0 * d] * 4 + [d])
    numbers = torch.rand(5, d, d, generator=torch.Generator().manual_seed(seed))
    return (2 * numbers - 1) * inputs.rsqrt()[:, None, None]


def choose_sentences(
    explanations: Float[Tensor, "*stack way all d"], count: int, seeds: Int[Tensor, "*stack"] | None
) -> Float[Tensor, "*stack way n_e d"]:
    """Choose at most ``count`` explanations of each class: the first if ``seeds`` is None, else a seeded draw."""
    if seeds is None:
        return explanations[..., :count, :]
    drawn = [
        np.random.default_rng(seed).permutation(explanations.shape[-2])[:count] for seed in seeds.flatten().tolist()
    ]
    order = torch.from_numpy(np.stack(drawn)).to(explanations.device).view(*seeds.shape, 1, -1, 1)
    return torch.take_along_dim(explanations, order, -2)


def fuse_clips(
    audio: Float[Tensor, "*stack b d"] | None, caption: Float[Tensor, "*stack b d"] | None, adapters: Adapters
) -> Float[Tensor, "*stack b d"]:
    """W_c [audio ; caption] (Eq. 13). Each half is multiplied by its own block; a missing half adds nothing."""
    fused = []
    if audio is not None:
        fused.append(inner(audio, adapters.coarse_audio))
    if caption is not None:
        fused.append(inner(caption, adapters.coarse_caption))
    return _sum(fused)


def fuse_segments(
    segments: Float[Tensor, "*stack b n d"] | None, caption: Float[Tensor, "*stack b d"] | None, adapters: Adapters
) -> Float[Tensor, "*stack b segments d"]:
    """W_l W_f [segment ; caption] (Eq. 17). Without audio the caption is the only segment.

    Two exact rewrites save time: a caption is multiplied once per clip, not once per segment; and W_l and the audio
    half of W_f are multiplied first if there are more segments than dimensions.
    """
    fused = []
    if segments is not None:
        rows = segments.flatten(-3, -2)
        if rows.shape[-2] > rows.shape[-1]:
            rows = inner(rows, inner(adapters.last, adapters.fine_audio.mT))
        else:
            rows = inner(inner(rows, adapters.fine_audio), adapters.last)
        fused.append(rows.view(segments.shape))
    if caption is not None:
        fused.append(inner(inner(caption, adapters.fine_caption), adapters.last).unsqueeze(-2))
    return _sum(fused)


def _sum(halves: list[Tensor]) -> Tensor:
    if not halves:
        raise ValueError("nothing to fuse: give the audio, the caption, or both")
    return reduce(torch.add, halves)


def coarse_contrast(
    fused: Float[Tensor, "*stack b d"], explanations: Float[Tensor, "*stack way n_e d"], late_weighting_scale: float
) -> Float[Tensor, "*stack b way"]:
    """Late weighting: mean of the cosines with a class's explanations, weighted by their softmax (Eq. 14-16)."""
    weights, cosines = late_weighting(fused, explanations, late_weighting_scale)
    return (weights * cosines).sum(-1)


def late_weighting(
    fused: Float[Tensor, "*stack b d"], explanations: Float[Tensor, "*stack way n_e d"], late_weighting_scale: float
) -> tuple[Float[Tensor, "*stack b way n_e"], Float[Tensor, "*stack b way n_e"]]:
    """Return each explanation's weight within its class (Eq. 14-15), and its cosine with the fused clip."""
    cosines = inner(unit(fused), explanations.flatten(-3, -2))
    cosines = cosines.reshape(*cosines.shape[:-1], *explanations.shape[-3:-1])
    return (late_weighting_scale * cosines).softmax(-1), cosines


def fine_contrast(
    fused: Float[Tensor, "*stack b n d"], explanations: Float[Tensor, "*stack way n_e d"], matching: Matching
) -> Similarity:
    """Matched similarity between a clip's fused segments and a class's explanations (Eq. 17-19)."""
    return similarity(fused, explanations, matching)
