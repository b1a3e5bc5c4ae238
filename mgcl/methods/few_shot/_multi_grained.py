"""The multi-grained kernel: its geometry in units of the support set, its candidates, and their average."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgcl.methods.few_shot._expansion import Expansion
from mgcl.methods.method import Support
from mgcl.transport.cost import inner, unit

PRIOR_SCALES = (0.35, 0.5, 0.7)
"""Of f_0 = softmax(scale z); z: standardised cosines with the class's sentences."""
RIDGES = (0.3, 1.0, 3.0)
"""λ; a sample's kernel with itself is at most 1."""
FINE_SHARES = (0.5, 0.75, 1.0)
"""Of the segments in a clip's distance to a clip; the rest is the clip embeddings'."""


@dataclass(frozen=True)
class Geometry:
    """Units of distance, and where the clips' and the sentences' centres lie; all from the support set."""

    keys: Float[Tensor, "*stack s d"]
    sentences: Float[Tensor, "*stack way d"]
    """Of each class one: its prompt and its mean explanation, centred to have no gap to the clips; unit vectors."""
    centre: Float[Tensor, "*stack 1 d"]
    """Of the clips."""
    coarse: Float[Tensor, "*stack 1 1"]
    """Mean of 1 - cosine between clips of different classes, inverted; 0 where it is 0; the others likewise."""
    fine: Float[Tensor, "*stack 1 1"]
    crossed: Float[Tensor, "*stack 1 1"]
    """Between clips and sentences of different classes, both centred."""
    described: tuple[Float[Tensor, "*stack way d"], Float[Tensor, "*stack way d"]]
    """Prompts, and mean explanations."""
    spreads: tuple[Float[Tensor, "*stack 1 1"], Float[Tensor, "*stack 1 1"]]
    """Of their cosines with support clips, about each clip's mean; inverted."""

    def clip_kernel(
        self, clips: Float[Tensor, "*stack b d"], similarity: Float[Tensor, "*stack b s"], share: float
    ) -> Float[Tensor, "*stack b s"]:
        """Of clips and support clips, whose segments have this similarity."""
        coarse = self.coarse * (1 - inner(clips, self.keys).double())
        return torch.exp(-(1 - share) * coarse - share * self.fine * (1 - similarity.double()))

    def sentence_kernel(self, clips: Float[Tensor, "*stack b d"]) -> Float[Tensor, "*stack b way"]:
        """Of clips and the classes' sentences."""
        return torch.exp(-self.crossed * (1 - inner(unit(clips - self.centre), self.sentences).double()))

    def priors(self, vectors: Float[Tensor, "*stack b d"]) -> Float[Tensor, "*stack scales b way"]:
        """f_0 of clips, or of sentences, at each prior scale."""
        z = torch.zeros((), dtype=torch.float64, device=vectors.device)
        for sentences, spread in zip(self.described, self.spreads, strict=True):
            z = z + spread * _about_their_mean(inner(vectors, sentences)).double() / 2
        return torch.stack([(scale * z).softmax(-1) for scale in PRIOR_SCALES], -3)


@dataclass(frozen=True)
class Ensemble:
    """The average of all candidates."""

    geometry: Geometry
    weights: Float[Tensor, "*stack scales"]
    """Of the prior scales."""
    expansions: tuple[Expansion, ...]
    """One per fine share: the average of its candidates, weighted."""
    repaired: Int[Tensor, "*stack"]
    """How many of an episode's kernels had a negative eigenvalue, and were shifted by it."""

    def scores(
        self, clips: Float[Tensor, "*stack b d"], similarity: Float[Tensor, "*stack b s"]
    ) -> dict[str, Float[Tensor, "*stack b way"]]:
        """The prior, named the contrast, and what the samples add; they sum to f."""
        parts = {"contrast": self._prior(clips)}
        for expansion, kernel in self._kernels(clips, similarity):
            for part, each in expansion.scores(kernel).items():
                parts[part] = parts[part] + each if part in parts else each
        return {part: each.to(clips.dtype) for part, each in parts.items()}

    def shares(
        self, clip: Float[Tensor, "1 d"], similarity: Float[Tensor, "1 s"]
    ) -> tuple[Float[Tensor, " s"], dict[str, Float[Tensor, "way 1"]]]:
        """What each support clip and each class's sentences add to the score of their class."""
        found = [expansion.shares(kernel[0]) for expansion, kernel in self._kernels(clip, similarity)]
        clips, samples = (sum(each[1:], start=each[0]).to(clip.dtype) for each in zip(*found, strict=True))
        sentences = {"contrast": self._prior(clip)[0, :, None].to(clip.dtype)}
        return clips, sentences | ({"sentences": samples} if samples.numel() else {})

    def _prior(self, clips: Float[Tensor, "*stack b d"]) -> Float[Tensor, "*stack b way"]:
        return (self.weights[..., None, None] * self.geometry.priors(clips)).sum(-3)

    def _kernels(
        self, clips: Float[Tensor, "*stack b d"], similarity: Float[Tensor, "*stack b s"]
    ) -> Iterator[tuple[Expansion, Float[Tensor, "*stack b m"]]]:
        for share, expansion in zip(FINE_SHARES, self.expansions, strict=True):
            kernel = self.geometry.clip_kernel(clips, similarity, share)
            if expansion.clips < len(expansion.labels):
                kernel = torch.cat([kernel, self.geometry.sentence_kernel(clips)], -1)
            yield expansion, kernel


def fit(
    support: Support, similarity: Float[Tensor, "*stack s s"], *, sentence_samples: bool, selectivity: float
) -> Ensemble:
    """Solve all candidates, one eigendecomposition per kernel, and weigh them by their leave-one-out errors.

    A kernel of transport similarities, or of clips and centred sentences, need not be positive definite: one with a
    negative eigenvalue is shifted by it, which is a ridge more and leaves k(x, S) as it is.
    """
    geometry, way = _geometry(support, similarity), support.prompts.shape[-2]
    labels, targets = support.labels, (support.one_hot > 0).double()
    weights = support.one_hot.sum(-1).double()
    vectors = support.clips.clip
    if sentence_samples:
        labels = torch.cat([labels, torch.arange(way, device=labels.device)])
        targets = torch.cat([targets, torch.eye(way, dtype=targets.dtype, device=targets.device)])
        weights = torch.cat([weights, weights.new_ones(way)])
        vectors = torch.cat([vectors, unit(geometry.described[0] + geometry.described[1])], -2)
    left = (targets - geometry.priors(vectors)).unsqueeze(-3)
    ridges = torch.tensor(RIDGES, dtype=left.dtype, device=left.device)[:, None]
    errors: list[Tensor] = []
    solved: list[Tensor] = []
    clips = len(support.labels)
    repaired = torch.zeros(support.seeds.shape, dtype=torch.long, device=labels.device)
    for share in FINE_SHARES:
        values, basis = torch.linalg.eigh(_gram(support, geometry, similarity, share, weights, sentence_samples))
        repaired = repaired + (values[..., 0] < 0).long()
        values, basis = values - values[..., :1].clamp_max(0), weights.sqrt()[:, None] * basis
        inverse = 1 / (values.unsqueeze(-2) + ridges)
        basis = basis[..., None, None, :, :]
        coefficients = basis @ (inverse[..., None, :, :, None] * (basis.mT @ left))
        itself = basis[..., :clips, :].square() @ inverse[..., None, :, :, None]
        missed = weights[:clips, None] * (coefficients[..., :clips, :] / itself).square()
        errors.append(missed.sum((-2, -1)))
        solved.append(coefficients)
    candidates = torch.stack(errors, -3)
    share_of = (-selectivity * candidates).flatten(-3).softmax(-1).view(candidates.shape)
    averaged = [(share_of[..., i, :, :, None, None] * each).sum((-4, -3)) for i, each in enumerate(solved)]
    return Ensemble(
        geometry,
        share_of.sum((-3, -1)),
        tuple(Expansion(each, labels, clips) for each in averaged),
        repaired,
    )


def _gram(
    support: Support,
    geometry: Geometry,
    similarity: Float[Tensor, "*stack s s"],
    share: float,
    weights: Float[Tensor, " m"],
    sentence_samples: bool,
) -> Float[Tensor, "*stack m m"]:
    """√W K √W of all samples."""
    clips = support.clips.clip
    kernel = geometry.clip_kernel(clips, (similarity + similarity.mT) / 2, share)
    if sentence_samples:
        crossed, own = geometry.sentence_kernel(clips), inner(geometry.sentences, geometry.sentences).double()
        below = torch.cat([crossed.mT, torch.exp(-geometry.crossed * (1 - own))], -1)
        kernel = torch.cat([torch.cat([kernel, crossed], -1), below], -2)
    return weights.sqrt()[:, None] * kernel * weights.sqrt()


def _geometry(support: Support, similarity: Float[Tensor, "*stack s s"]) -> Geometry:
    clips, one_hot = support.clips.clip, support.one_hot.double()
    weights = one_hot.sum(-1)
    others = weights[:, None] * weights * (1 - (one_hot > 0).double() @ (one_hot > 0).double().mT)
    centre = (weights[:, None] / weights.sum() * clips.double()).sum(-2, keepdim=True).to(clips)
    described = (support.prompts, unit(support.explanations.mean(-2)))
    sentences = unit(described[0] + described[1])
    sentences = unit(sentences - sentences.mean(-2, keepdim=True))
    crossed = inner(unit(clips - centre), sentences)
    prompt_spread, mean_spread = (_spread(inner(clips, each).double(), weights) for each in described)
    return Geometry(
        keys=clips,
        sentences=sentences,
        centre=centre,
        coarse=_inverse_mean(1 - inner(clips, clips), others),
        fine=_inverse_mean(1 - similarity, others),
        crossed=_inverse_mean(1 - crossed, weights[:, None] * (one_hot == 0)),
        described=described,
        spreads=(prompt_spread, mean_spread),
    )


def _spread(cosines: Float[Tensor, "*stack s way"], weights: Float[Tensor, " s"]) -> Float[Tensor, "*stack 1 1"]:
    """1 over the cosines' standard deviation about each clip's mean; 0 where they do not vary."""
    squares = _about_their_mean(cosines).square()
    return _inverse_mean(squares, weights[:, None].expand(squares.shape[-2:])).sqrt()


def _about_their_mean(cosines: Float[Tensor, "*stack b way"]) -> Float[Tensor, "*stack b way"]:
    return cosines - cosines.mean(-1, keepdim=True)


def _inverse_mean(distances: Float[Tensor, "*stack a b"], weights: Float[Tensor, "a b"]) -> Float[Tensor, "*stack 1 1"]:
    """1 over the weighted mean; 0 where that is (but for rounding) 0, or nothing is weighed."""
    mean = (weights * distances.double()).sum((-2, -1), keepdim=True) / weights.sum().clamp_min(1e-12)
    return torch.where(mean > 1e-9, 1 / mean.clamp_min(1e-9), 0.0)
