"""Multi-grained kernel: ridge regression, around zero-shot, of a kernel of clips, segments and sentences; ours.

f(x) = f_0(x) + k(x, S) (K + λI)⁻¹ (Y - f_0(S)), as ProKeR (arXiv 2501.11175) with three things more. The kernel of two
clips is a product of exp(-d) over their clip embeddings and over their segments' transport similarity (MGCL Eq. 3-9).
Each class's sentences are one more sample. Prior, bandwidths and ridge are in units that the support set itself gives,
so that nothing depends on how far apart a backbone's embeddings lie; candidates for them are averaged, weighted by
their closed-form leave-one-out error on the support clips (PRESS, Allen 1974). Nothing is trained by gradients.
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
    """Chosen on development classes of two banks; candidates stand in ``_multi_grained``.

    Attributes:
        epsilon: of the transport between segments, > 0.
        sentence_samples: whether each class's sentences are a sample.
        selectivity: candidates weigh exp(-selectivity * squared leave-one-out error, summed over clips), >= 0; 0
            weighs them alike. It is small: so few clips say little, above all at one shot.
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
    """The support set with its samples' coefficients."""

    support: Support
    parameters: Parameters
    ensemble: Ensemble
    convergence: Convergence = NO_TRANSPORT
    """Of the transport between support clips."""


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Solve for every candidate's coefficients, and average them."""
    from mgcl.methods.few_shot import _multi_grained as kernels

    fine = support.key_similarity(support.clips, parameters.matching)
    ensemble = kernels.fit(
        support, fine.value, sentence_samples=parameters.sentence_samples, selectivity=parameters.selectivity
    )
    return Fitted(support, parameters, ensemble, _convergence(fine.converged))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """The prior, and what samples of a class add to its own score and to others', in the unit of the logit scale."""
    fine = fitted.support.key_similarity(clips, fitted.parameters.matching)
    scale = fitted.support.logit_scale
    parts = {part: scale * each for part, each in fitted.ensemble.scores(clips.clip, fine.value).items()}
    return Prediction(parts, _convergence(fine.converged))


def explain(fitted: Fitted, clip: ClipFeatures, _classes: tuple[int, ...]) -> tuple[Match, ...]:
    """The plan to the support clip that the clip's segments are most like."""
    from mgcl.transport.similarity import plans

    matching = fitted.parameters.matching
    fine = fitted.support.key_similarity(clip, matching).value
    nearest = int(fine.flatten(0, -3)[0, 0].argmax() if fine.dim() > 2 else fine[0].argmax())
    segments, keys = (each.segments.reshape(-1, *each.segments.shape[-3:])[0] for each in (clip, fitted.support.clips))
    return (Match("clips", "support", nearest, plans(segments[:1], keys[nearest, None], matching)[0, 0]),)


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """What each support clip, and each class's sentences, add to the logit of their class; exact.

    A class's sentences count together; its prompt stands for them.
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
