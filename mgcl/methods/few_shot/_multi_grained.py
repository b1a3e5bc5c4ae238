"""Multi-grained kernel: its geometry in units of the support set, its candidates, and their average."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mgcl.methods.few_shot._expansion import Expansion
from mgcl.methods.method import Support
from mgcl.transport.cost import inner, unit

PRIOR_SCALES = (0.35, 0.5, 0.7)
"""Candidate scales of the prior f_0 = softmax(scale z), where z are standardised cosines with the class's sentences."""
RIDGES = (0.3, 1.0, 3.0)
"""Candidates for λ. A sample's kernel with itself is at most 1."""
FINE_SHARES = (0.5, 0.75, 1.0)
"""Candidate shares of the segments in the distance between two clips. The clip embeddings have the rest.

(0, 0.5, 1) has the same mean on development classes; this grid was looked for after a table of ESC-10's evaluation
episodes, as reports/LOG.md says.
"""


@dataclass(frozen=True)
class Geometry:
    """Units of distance, and the centres of clips and sentences, all computed from the support set.

    ``coarse``, ``fine`` and ``crossed`` are inverse mean distances between classes; an inverse is 0 if the mean is 0.
    """

    keys: Float[Tensor, "*stack s d"]
    sentences: Float[Tensor, "*stack way d"]
    """One unit vector per class: its prompt plus its mean explanation, centred to close the gap to the clips."""
    centre: Float[Tensor, "*stack 1 d"]
    """Weighted mean of the support clips."""
    coarse: Float[Tensor, "*stack 1 1"]
    """Inverse mean of 1 - cosine between clips of different classes."""
    fine: Float[Tensor, "*stack 1 1"]
    """Inverse mean of 1 - similarity of segments between clips of different classes."""
    crossed: Float[Tensor, "*stack 1 1"]
    """Inverse mean of 1 - cosine between clips and sentences of different classes, both centred."""
    described: tuple[Float[Tensor, "*stack way d"], Float[Tensor, "*stack way d"]]
    """Prompts, and mean explanations."""
    spreads: tuple[Float[Tensor, "*stack 1 1"], Float[Tensor, "*stack 1 1"]]
    """Inverse standard deviations of the cosines between support clips and ``described``, about each clip's mean."""

    def kernel(
        self, clips: Float[Tensor, "*stack b d"], similarity: Float[Tensor, "*stack b s"], *, sentences: bool
    ) -> Float[Tensor, "*stack shares b m"]:
        """Kernel between clips and support clips whose segments have the given similarity, for each fine share.

        With ``sentences``, the kernel between clips and the classes' sentences follows.
        """
        fine = torch.tensor(FINE_SHARES, dtype=torch.float64, device=clips.device)[:, None, None]
        coarse_distance = self.coarse * (1 - inner(clips, self.keys).double())
        fine_distance = self.fine * (1 - similarity.double())
        kernel = torch.exp((fine - 1) * coarse_distance.unsqueeze(-3) - fine * fine_distance.unsqueeze(-3))
        return _beside(kernel, self.sentence_kernel(clips), -1) if sentences else kernel

    def sentence_kernel(self, clips: Float[Tensor, "*stack b d"]) -> Float[Tensor, "*stack b way"]:
        """Kernel between clips and the classes' sentences."""
        return torch.exp(-self.crossed * (1 - inner(unit(clips - self.centre), self.sentences).double()))

    def priors(self, vectors: Float[Tensor, "*stack b d"]) -> Float[Tensor, "*stack scales b way"]:
        """Prior f_0 of clip or sentence embeddings at each prior scale."""
        z = torch.zeros((), dtype=torch.float64, device=vectors.device)
        for sentences, spread in zip(self.described, self.spreads, strict=True):
            z = z + spread * _about_their_mean(inner(vectors, sentences)).double() / 2
        return torch.stack([(scale * z).softmax(-1) for scale in PRIOR_SCALES], -3)


@dataclass(frozen=True)
class Ensemble:
    """Weighted average of all candidates."""

    geometry: Geometry
    weights: Float[Tensor, "*stack scales"]
    """Weights of the prior scales."""
    expansion: Expansion
    """Weighted averages of the candidates, stacked along the fine shares."""

    def scores(
        self, clips: Float[Tensor, "*stack b d"], similarity: Float[Tensor, "*stack b s"]
    ) -> dict[str, Float[Tensor, "*stack b way"]]:
        """Return the prior, under the name "contrast", and the contributions of the samples; they sum to f."""
        parts = {part: each.sum(-3) for part, each in self.expansion.scores(self._kernel(clips, similarity)).items()}
        return {part: each.to(clips.dtype) for part, each in {"contrast": self._prior(clips), **parts}.items()}

    def shares(
        self, clip: Float[Tensor, "1 d"], similarity: Float[Tensor, "1 s"]
    ) -> tuple[Float[Tensor, " s"], dict[str, Float[Tensor, "way 1"]]]:
        """Contributions of each support clip, and of each class's sentences, to the score of their class."""
        found = self.expansion.shares(self._kernel(clip, similarity)[:, 0])
        clips, samples = (each.sum(0).to(clip.dtype) for each in found)
        sentences = {"contrast": self._prior(clip)[0, :, None].to(clip.dtype)}
        return clips, sentences | ({"sentences": samples} if samples.numel() else {})

    def _prior(self, clips: Float[Tensor, "*stack b d"]) -> Float[Tensor, "*stack b way"]:
        return (self.weights[..., None, None] * self.geometry.priors(clips)).sum(-3)

    def _kernel(
        self, clips: Float[Tensor, "*stack b d"], similarity: Float[Tensor, "*stack b s"]
    ) -> Float[Tensor, "*stack shares b m"]:
        return self.geometry.kernel(clips, similarity, sentences=self.expansion.clips < len(self.expansion.labels))


def fit(
    support: Support, similarity: Float[Tensor, "*stack s s"], *, sentence_samples: bool, selectivity: float
) -> Ensemble:
    """Solve all candidates, with one eigendecomposition per kernel, and weight them by their leave-one-out errors.

    A kernel of transport similarities, or of clips and centred sentences, may not be positive definite. A kernel with
    a negative eigenvalue is shifted by it. This is an additional ridge and leaves k(x, S) unchanged. With an audio
    tagger's features nearly all kernels of five clips per class need it, with those of ``tiny`` none.
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
    ridges = torch.tensor(RIDGES, dtype=targets.dtype, device=targets.device)[:, None]
    clips, root = len(support.labels), weights.sqrt()[:, None]
    values, basis = torch.linalg.eigh(root * _gram(geometry, similarity, sentences=sentence_samples) * root.mT)
    values, basis = values - values[..., :1].clamp_max(0), root * basis
    # From here on the dimensions are: stack, fine shares, ridges, prior scales, samples, classes.
    inverse = 1 / (values.unsqueeze(-2) + ridges)
    basis = basis[..., None, None, :, :]
    left = (targets - geometry.priors(vectors))[..., None, None, :, :, :]
    coefficients = basis @ (inverse[..., None, :, None] * (basis.mT @ left))
    itself = (basis[..., 0, 0, :clips, :].square() @ inverse.mT).mT[..., None, :, None]
    missed = weights[:clips, None] * (coefficients[..., :clips, :] / itself).square()
    errors = missed.sum((-2, -1))
    share_of = (-selectivity * errors).flatten(-3).softmax(-1).view(errors.shape)
    averaged = (share_of[..., None, None] * coefficients).sum((-4, -3))
    return Ensemble(geometry, share_of.sum((-3, -2)), Expansion(averaged, labels, clips))


def _gram(
    geometry: Geometry, similarity: Float[Tensor, "*stack s s"], *, sentences: bool
) -> Float[Tensor, "*stack shares m m"]:
    """Kernel between all samples, for each fine share."""
    kernel = geometry.kernel(geometry.keys, (similarity + similarity.mT) / 2, sentences=sentences)
    if not sentences:
        return kernel
    own = inner(geometry.sentences, geometry.sentences).double()
    crossed = kernel[..., 0, :, geometry.keys.shape[-2] :].mT
    return _beside(kernel, torch.cat([crossed, torch.exp(-geometry.crossed * (1 - own))], -1), -2)


def _beside(
    kernel: Float[Tensor, "*stack shares a b"], other: Float[Tensor, "*stack c d"], dim: int
) -> Float[Tensor, "*stack shares e f"]:
    """Append to the kernel of every fine share a block that they have in common."""
    shares = kernel.shape[-3]
    return torch.cat([kernel, other.unsqueeze(-3).expand(*other.shape[:-2], shares, *other.shape[-2:])], dim)


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
    """Inverse standard deviation of the cosines about each clip's mean; 0 if they do not vary."""
    squares = _about_their_mean(cosines).square()
    return _inverse_mean(squares, weights[:, None].expand(squares.shape[-2:])).sqrt()


def _about_their_mean(cosines: Float[Tensor, "*stack b way"]) -> Float[Tensor, "*stack b way"]:
    return cosines - cosines.mean(-1, keepdim=True)


def _inverse_mean(distances: Float[Tensor, "*stack a b"], weights: Float[Tensor, "a b"]) -> Float[Tensor, "*stack 1 1"]:
    """Inverse weighted mean of the distances; 0 if the mean is 0 up to rounding, or all weights are 0."""
    mean = (weights * distances.double()).sum((-2, -1), keepdim=True) / weights.sum().clamp_min(1e-12)
    return torch.where(mean > 1e-9, 1 / mean.clamp_min(1e-9), 0.0)
