"""MGCL as one would first write it: what the benchmarks compare with. Same numbers, no thought for speed.

Segments are matched pair by pair by POT's ``ot.sinkhorn``, at the tolerance that mgcl uses; clip and caption are
concatenated and multiplied; nothing is kept from one episode to the next.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, normalize

from mgcl.methods.method import ClipFeatures, Support
from mgcl.transport.similarity import similarity

Matcher = Callable[[Tensor, Tensor], Tensor]
ALPHA, BETA, EPSILON, LEARNING_RATE, EPOCHS = 1.1, 5.0, 0.1, 1e-4, 20


def pot_loop(x: Tensor, y: Tensor) -> Tensor:
    """All-pairs similarity, one ``ot.sinkhorn`` a pair; x (a, n, d) and y (b, m, d) of unit segments."""
    import ot

    p, q = (torch.full((len(each[0]),), 1 / len(each[0])) for each in (x, y))
    rows = []
    for clip in x:
        row = []
        for other in y:
            cosines = clip @ other.T
            plan = ot.sinkhorn(p, q, 1 - cosines.detach(), EPSILON, numItermax=100, stopThr=1e-4 * p[0], warn=False)
            row.append((plan * cosines).sum())
        rows.append(torch.stack(row))
    return torch.stack(rows)


def batched(x: Tensor, y: Tensor) -> Tensor:
    """The transport of mgcl itself, where only the layers are to be compared."""
    return similarity(x, y).value


def contrast(clips: ClipFeatures, sentences: Tensor, weights: list[Tensor], match: Matcher) -> Tensor:
    """Coarse and fine contrast, before the logit scale."""
    coarse, fine, last = weights
    fused = normalize(linear(torch.cat([clips.clip, clips.caption], 1), coarse), dim=-1)
    cosines = torch.einsum("bd,wed->bwe", fused, sentences)
    late = (cosines.softmax(-1) * cosines).sum(-1)
    caption = clips.caption[:, None].expand_as(clips.segments)
    segments = normalize(linear(linear(torch.cat([clips.segments, caption], -1), fine), last), dim=-1)
    return late + match(segments, sentences)


def cache(clips: ClipFeatures, support: Support, match: Matcher) -> Tensor:
    """Coarse and fine cache, weighted."""
    coarse, fine = clips.clip @ support.clips.clip.T, match(clips.segments, support.clips.segments)
    affinities = torch.exp(-BETA * (1 - coarse)) + torch.exp(-BETA * (1 - fine))
    return ALPHA * affinities @ support.one_hot


def fit(support: Support, match: Matcher, *, cached: bool) -> list[Tensor]:
    """W_c, W_f (d, 2d) and W_l (d, d), trained."""
    eye = torch.eye(support.prompts.shape[-1])
    weights = [torch.cat([eye, eye], 1) / 2, torch.cat([eye, eye], 1) / 2, eye.clone()]
    keys = cache(support.clips, support, match) if cached else torch.zeros(1)
    optimiser = torch.optim.Adam([weight.requires_grad_() for weight in weights], lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        logits = keys + support.logit_scale * contrast(support.clips, support.explanations, weights, match)
        cross_entropy(logits, support.labels).backward()
        optimiser.step()
    return [weight.detach() for weight in weights]


def episode(support: Support, query: ClipFeatures, match: Matcher = pot_loop) -> Tensor:
    """Logits of the query clips."""
    weights = fit(support, match, cached=True)
    scaled = support.logit_scale * contrast(query, support.explanations, weights, match)
    return cache(query, support, match) + scaled
