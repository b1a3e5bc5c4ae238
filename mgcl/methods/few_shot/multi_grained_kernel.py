"""Multi-grained kernel: ridge regression around zero-shot, with a kernel of clips, segments and sentences; ours.

f(x) = f_0(x) + k(x, S) (K + λI)⁻¹ (Y - f_0(S)), as in ProKeR (arXiv 2501.11175), with three additions. The kernel
between two clips is a product of exp(-d) over their clip embeddings and over their segments' transport similarity (MGCL
Eq. 3-9). Each class's sentences are one more sample. Prior, bandwidths and ridge are in units computed from the support
set, so that results do not depend on the scale of distances between a backbone's embeddings. Candidates for them are
averaged, weighted by their closed-form leave-one-out error on the support clips (PRESS, Allen 1974). Nothing is trained
by gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mgcl.methods.method import ClipFeatures, Match, Prediction, Shares, Support
from mgcl.parameters import check_fields, check_ranges
from mgcl.records import NO_TRANSPORT, Convergence
from mgcl.transport.matching import Matching

if TYPE_CHECKING:
    from torch import Tensor

    from mgcl.methods.few_shot._multi_grained import Ensemble

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parameters, chosen on development classes of two banks. The candidates are constants of ``_multi_grained``.

    Attributes:
        epsilon: temperature of the transport between segments, > 0.
        sentence_samples: whether each class's sentences are a sample.
        selectivity: a candidate's weight is exp(-selectivity * squared leave-one-out error, summed over clips), >= 0;
            0 gives equal weights. It is small because few clips give weak evidence, above all at one shot.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip", "segments", "prompt", "explanations")

    epsilon: float = 0.1
    sentence_samples: bool = True
    selectivity: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("epsilon",), at_least_zero=("selectivity",))

    @property
    def matching(self) -> Matching:
        """How segments are matched."""
        return Matching(epsilon=self.epsilon)


@dataclass(frozen=True)
class Fitted:
    """Support set with the averaged candidates."""

    support: Support
    parameters: Parameters
    ensemble: Ensemble
    convergence: Convergence = NO_TRANSPORT
    """Convergence of the transport problems between support clips."""


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Solve for the coefficients of every candidate, and average them."""
    from mgcl.methods.few_shot import _multi_grained as kernels

    fine = support.key_similarity(support.clips, parameters.matching)
    ensemble = kernels.fit(
        support, fine.value, sentence_samples=parameters.sentence_samples, selectivity=parameters.selectivity
    )
    return Fitted(support, parameters, ensemble, _convergence(fine.converged))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return the prior and the contributions of samples to their own and to other classes, times the logit scale."""
    fine = fitted.support.key_similarity(clips, fitted.parameters.matching)
    scale = fitted.support.logit_scale
    parts = {part: scale * each for part, each in fitted.ensemble.scores(clips.clip, fine.value).items()}
    return Prediction(parts, _convergence(fine.converged))


def explain(fitted: Fitted, clip: ClipFeatures, _classes: tuple[int, ...]) -> tuple[Match, ...]:
    """Return the plan from a clip to the support clip with the most similar segments."""
    from mgcl.transport.similarity import plans

    matching = fitted.parameters.matching
    fine = fitted.support.key_similarity(clip, matching).value
    nearest = int(fine.flatten(0, -3)[0, 0].argmax() if fine.dim() > 2 else fine[0].argmax())
    segments, keys = (each.segments.reshape(-1, *each.segments.shape[-3:])[0] for each in (clip, fitted.support.clips))
    return (Match("clips", "support", nearest, plans(segments[:1], keys[nearest, None], matching)[0, 0]),)


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Exact contributions of each support clip, and of each class's sentences, to the logit of their class.

    The sentences of a class have one common share; the class's prompt embedding represents them.
    """
    scale = fitted.support.logit_scale
    fine = fitted.support.key_similarity(clip, fitted.parameters.matching).value
    clips, sentences = fitted.ensemble.shares(clip.clip, fine)
    return Shares(
        {"clips": scale * clips},
        {part: scale * each for part, each in sentences.items()},
        fitted.support.prompts[:, None],
    )


def _convergence(converged: Tensor) -> Convergence:
    return Convergence(converged.numel(), int((~converged).sum()))
