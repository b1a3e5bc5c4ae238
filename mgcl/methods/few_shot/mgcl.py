"""MGCL: multi-grained correspondence learning (ACM MM 2024, doi 10.1145/3664647.3681389)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mgcl.methods.few_shot._mgcl_choices import OPEN_CHOICES
from mgcl.methods.method import ClipFeatures, Match, Prediction, Shares, Support, check_fields, check_ranges
from mgcl.records import NO_TRANSPORT, Convergence, Matching

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from torch import Tensor

    from mgcl.methods.few_shot._contrast import Adapters
    from mgcl.transport import Similarity

__all__ = ["OPEN_CHOICES"]

VERSION = 2


@dataclass(frozen=True)
class Parameters:
    """Every choice of the method; the defaults are the paper's, or what is taken where the paper is silent.

    Attributes:
        alpha: weight of the cache in the logits (Eq. 21), >= 0.
        beta: sharpness of the cache (Eq. 1), >= 0.
        coarse: the coarse representation of a clip: the backbone's own ("clip") or the segments' "mean".
        coarse_cache, fine_cache, coarse_contrast, fine_contrast: which of the four parts count; at least one.
        matching, epsilon, tolerance, max_iterations, entropy_weight, gradient: of the segments; see
            ``mgcl.records.Matching``.
        logit_scale: multiplies the contrast before Eq. 21, > 0; None is the bank's.
        late_weighting_scale: inverse temperature of the late weighting (Eq. 14), >= 0; 0 is a plain mean.
        leave_one_out: a training clip does not see its own key in the cache; needs 2 shots.
        mean_over_shots: divide the cache by K.
        fusion: what is fused and contrasted: "both", "audio" or "caption"; the last needs the cache off.
        initialisation: of the adapters: "halves", "audio" or "random".
        sentences: what a class is described by: its "explanations", or its "prompt" alone.
        explanations: use at most this many of the bank's explanations, >= 1.
        explanation_draw: the "first" ones, or "seeded" by the episode.
        epochs: full-batch Adam steps, >= 0; 0 is without training.
        learning_rate: > 0.
    """

    alpha: float = 1.1
    beta: float = 5.0
    coarse: Literal["clip", "mean"] = "clip"
    coarse_cache: bool = True
    fine_cache: bool = True
    coarse_contrast: bool = True
    fine_contrast: bool = True
    matching: Literal["transport", "uniform", "best-match"] = "transport"
    epsilon: float = 0.1
    tolerance: float = 1e-4
    max_iterations: int | None = None
    entropy_weight: float = 0.0
    gradient: Literal["detached", "exact"] = "detached"
    logit_scale: float | None = None
    late_weighting_scale: float = 1.0
    leave_one_out: bool = False
    mean_over_shots: bool = False
    fusion: Literal["both", "audio", "caption"] = "both"
    initialisation: Literal["halves", "audio", "random"] = "halves"
    sentences: Literal["explanations", "prompt"] = "explanations"
    explanations: int = 8
    explanation_draw: Literal["first", "seeded"] = "first"
    epochs: int = 20
    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(
            self,
            positive=("epsilon", "tolerance", "learning_rate", "logit_scale"),
            at_least_zero=("alpha", "beta", "entropy_weight", "late_weighting_scale", "epochs"),
            at_least_one=("explanations", "max_iterations"),
        )
        if not (self.cached or self.contrasted):
            raise ValueError("without coarse and fine cache and contrast nothing is left to score with")
        if self.fusion == "caption" and self.cached:
            raise ValueError("fusion 'caption' looks at no audio: set coarse_cache and fine_cache to False")

    @property
    def cached(self) -> bool:
        """Whether the cache counts."""
        return self.coarse_cache or self.fine_cache

    @property
    def contrasted(self) -> bool:
        """Whether the contrast counts: without it nothing is trained."""
        return self.coarse_contrast or self.fine_contrast

    @property
    def needs_captions(self) -> bool:
        """Whether anything that counts reads the clips' captions."""
        return self.contrasted and self.fusion != "audio"

    def without_captions(self) -> Parameters:
        """The same for clips that have no captions: they are known by audio alone.

        Raises:
            ValueError: fusion is "caption".
        """
        if self.needs_captions and self.fusion == "caption":
            raise ValueError("fusion='caption' needs captions")
        return replace(self, fusion="audio") if self.needs_captions else self

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank that it goes by."""
        sentences = "prompt" if self.sentences == "prompt" else "explanations"
        return ("clip", "segments", sentences, *(["caption"] if self.needs_captions else []))

    @property
    def least_shots(self) -> int:
        """With one shot a clip that does not see itself would find no key of its class."""
        return 2 if self.leave_one_out else 1

    @property
    def segment_matching(self) -> Matching:
        """How segments are matched."""
        names = ("epsilon", "tolerance", "max_iterations", "entropy_weight", "gradient")
        return Matching(self.matching, **{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Fitted:
    """A support set with the adapters trained on it."""

    support: Support
    parameters: Parameters
    adapters: Adapters
    sentences: Float[Tensor, "*stack way n_e d"]
    convergence: Convergence = NO_TRANSPORT
    """Of the transport problems solved while training."""

    @property
    def logit_scale(self) -> float:
        """What multiplies the contrast."""
        return self.parameters.logit_scale or self.support.logit_scale


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Train the adapters on the support clips (Eq. 22).

    Raises:
        ValueError: leave-one-out with one shot.
    """
    import torch

    from mgcl.methods.few_shot import _contrast as contrast
    from mgcl.methods.few_shot import _training as training

    if min(support.counts) < parameters.least_shots:
        raise ValueError("leave_one_out needs 2 shots: with 1 a clip's class would have no key left")
    clips = support.clips
    adapters = contrast.initial_adapters(clips.clip.shape[-1], parameters.initialisation, seeds=support.seeds)
    fitted = Fitted(support, parameters, adapters, _sentences(support, parameters))
    if not parameters.contrasted:
        return fitted
    cached = _cache(fitted, clips, own=True)
    convergence = cached.convergence

    def logits() -> Tensor:
        nonlocal convergence
        contrasted = _contrast(fitted, clips)
        convergence += contrasted.convergence
        return _total(cached, contrasted).logits

    training.descend(
        logits,
        support.labels,
        adapters,
        optimiser=lambda weights: torch.optim.Adam(weights, lr=parameters.learning_rate, fused=True),
        epochs=parameters.epochs,
    )
    return replace(fitted, convergence=convergence)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Alpha times the cache plus the scaled contrast (Eq. 21), in up to four parts."""
    return _total(_cache(fitted, clips), _contrast(fitted, clips))


def explain(fitted: Fitted, clip: ClipFeatures, classes: tuple[int, ...]) -> tuple[Match, ...]:
    """The plan to the support clip that its segments are most like, and to each class's explanations."""
    from mgcl.transport import plans

    parameters, matching = fitted.parameters, fitted.parameters.segment_matching
    if matching.kind != "transport":
        return ()
    matches = []
    if parameters.fine_cache:
        nearest = int(_first(fitted.support.key_similarity(clip, matching).value, 2)[0].argmax())
        segments, keys = _first(clip.segments, 3), _first(fitted.support.clips.segments, 3)
        matches.append(
            Match("fine_cache", "support", nearest, plans(segments[:1], keys[nearest, None], matching)[0, 0])
        )
    if parameters.fine_contrast:
        fused, sentences = _first(_fused_segments(fitted, clip), 3)[:1], _first(fitted.sentences, 3)
        for index in classes:
            plan = plans(fused, sentences[index, None], matching)[0, 0]
            matches.append(Match("fine_contrast", "class", index, plan))
    return tuple(matches)


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """What each support clip (Eq. 1-12) and each class description (Eq. 13-20) adds to the logits of one clip.

    Args:
        fitted: of one episode, not a stack.
        clip: one.
    """
    from mgcl.methods.few_shot import _contrast as contrast
    from mgcl.transport import column_shares

    support, parameters, scale = fitted.support, fitted.parameters, fitted.logit_scale
    affinities, _ = _key_affinities(fitted, clip)
    weights = support.values.sum(-1) / (support.shot if parameters.mean_over_shots else 1.0)
    keys = {part: parameters.alpha * each[0] * weights for part, each in affinities.items()}
    sentences = {}
    if parameters.coarse_contrast:
        late, cosines = contrast.late_weighting(
            _fused_clips(fitted, clip), fitted.sentences, parameters.late_weighting_scale
        )
        sentences["coarse_contrast"] = (scale * late * cosines)[0]
    if parameters.fine_contrast:
        segments = _fused_segments(fitted, clip)[0]
        sentences["fine_contrast"] = scale * column_shares(segments, fitted.sentences, parameters.segment_matching)
    return Shares(keys, sentences, fitted.sentences)


def state(fitted: Fitted) -> dict[str, Tensor]:
    """What was learnt: the adapters, and the class descriptions that were chosen."""
    return {"sentences": fitted.sentences, **fitted.adapters._asdict()}


def restored(support: Support, parameters: Parameters, state: Mapping[str, Tensor]) -> Fitted:
    """The fitted method whose ``state`` was kept."""
    from mgcl.methods.few_shot._contrast import Adapters

    adapters = Adapters(**{name: state[name] for name in Adapters._fields})
    return Fitted(support, parameters, adapters, state["sentences"])


def _first(x: Tensor, dimensions: int) -> Tensor:
    """The first episode of a stack, or of none."""
    return x.reshape(-1, *x.shape[-dimensions:])[0]


def _total(cached: Prediction, contrasted: Prediction) -> Prediction:
    return Prediction({**cached.parts, **contrasted.parts}, cached.convergence + contrasted.convergence)


def _sentences(support: Support, parameters: Parameters) -> Float[Tensor, "*stack way n_e d"]:
    """The class descriptions that the contrast looks at."""
    from mgcl.methods.few_shot import _contrast as contrast

    if parameters.sentences == "prompt":
        return support.prompts.unsqueeze(-2)
    seeds = support.seeds if parameters.explanation_draw == "seeded" else None
    return contrast.choose_sentences(support.explanations, parameters.explanations, seeds)


def _coarse(clips: ClipFeatures, parameters: Parameters) -> Float[Tensor, "*stack b d"]:
    from mgcl.transport import unit

    return clips.clip if parameters.coarse == "clip" else unit(clips.segments.mean(-2))


def _key_affinities(
    fitted: Fitted, clips: ClipFeatures, *, own: bool = False
) -> tuple[dict[str, Float[Tensor, "*stack b s"]], Convergence]:
    """What each support clip says of each clip (Eq. 1, 10), a cache part; ``own``: they are the support clips."""
    from mgcl.methods.few_shot import _cache as cache

    support, parameters = fitted.support, fitted.parameters
    affinities, convergence = {}, NO_TRANSPORT
    if parameters.coarse_cache:
        query, keys = _coarse(clips, parameters), _coarse(support.clips, parameters)
        affinities["coarse_cache"] = cache.coarse_affinity(query, keys, parameters.beta)
    if parameters.fine_cache:
        fine = support.key_similarity(clips, parameters.segment_matching)
        affinities["fine_cache"] = cache.affinity(fine.value, parameters.beta)
        convergence = _convergence(fine, parameters)
    if own and parameters.leave_one_out:
        affinities = {part: cache.without_itself(each) for part, each in affinities.items()}
    return affinities, convergence


def _cache(fitted: Fitted, clips: ClipFeatures, *, own: bool = False) -> Prediction:
    """The cache's parts, weighted by alpha."""
    from mgcl.methods.few_shot import _cache as cache

    support, parameters = fitted.support, fitted.parameters
    affinities, convergence = _key_affinities(fitted, clips, own=own)
    per_shot = support.shot if parameters.mean_over_shots else 1.0
    parts = {
        part: parameters.alpha * cache.read(each, support.values, per_shot=per_shot)
        for part, each in affinities.items()
    }
    return Prediction(parts, convergence)


def _convergence(matched: Similarity, parameters: Parameters) -> Convergence:
    if parameters.matching != "transport":
        return NO_TRANSPORT
    return Convergence(matched.converged.numel(), int((~matched.converged).sum()))


def _contrast(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """The contrast's parts, multiplied by the logit scale."""
    from mgcl.methods.few_shot import _contrast as contrast

    parameters, sentences, scale = fitted.parameters, fitted.sentences, fitted.logit_scale
    parts, convergence = {}, NO_TRANSPORT
    if parameters.coarse_contrast:
        coarse = contrast.coarse_contrast(_fused_clips(fitted, clips), sentences, parameters.late_weighting_scale)
        parts["coarse_contrast"] = scale * coarse
    if parameters.fine_contrast:
        fine = contrast.fine_contrast(_fused_segments(fitted, clips), sentences, parameters.segment_matching)
        parts["fine_contrast"] = scale * fine.value
        convergence = _convergence(fine, parameters)
    return Prediction(parts, convergence)


def _fused_clips(fitted: Fitted, clips: ClipFeatures) -> Float[Tensor, "*stack b d"]:
    """W_c [clip ; caption] (Eq. 13)."""
    from mgcl.methods.few_shot import _contrast as contrast

    parameters = fitted.parameters
    audio = None if parameters.fusion == "caption" else _coarse(clips, parameters)
    caption = None if parameters.fusion == "audio" else clips.known_caption
    return contrast.fuse_clips(audio, caption, fitted.adapters)


def _fused_segments(fitted: Fitted, clips: ClipFeatures) -> Float[Tensor, "*stack b n d"]:
    """W_l W_f [segment ; caption] (Eq. 17); the caption alone is one segment."""
    from mgcl.methods.few_shot import _contrast as contrast

    fusion = fitted.parameters.fusion
    audio = None if fusion == "caption" else clips.segments
    caption = None if fusion == "audio" else clips.known_caption
    return contrast.fuse_segments(audio, caption, fitted.adapters)
