"""MGCL: multi-grained correspondence learning (ACM MM 2024, doi 10.1145/3664647.3681389)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mgcl.methods.few_shot._mgcl_parameters import OPEN_CHOICES, Parameters
from mgcl.methods.method import ClipFeatures, Match, Prediction, Shares, Support
from mgcl.records import NO_TRANSPORT, Convergence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from torch import Tensor

    from mgcl.methods.few_shot._contrast import Adapters
    from mgcl.transport.similarity import Similarity

__all__ = ["OPEN_CHOICES", "Parameters"]

VERSION = 2


@dataclass(frozen=True)
class Fitted:
    """Support set with the adapters that were trained on it."""

    support: Support
    parameters: Parameters
    adapters: Adapters
    sentences: Float[Tensor, "*stack way n_e d"]
    convergence: Convergence = NO_TRANSPORT
    """Convergence of the transport problems solved in training."""

    @property
    def logit_scale(self) -> float:
        """Factor of the contrast: the parameters' logit scale if set, else the bank's."""
        return self.parameters.logit_scale or self.support.logit_scale


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Train the adapters on the support clips (Eq. 22).

    Raises:
        ValueError: ``leave_one_out`` is set, and a class has only one clip.
    """
    from mgcl.methods.few_shot import _contrast as contrast
    from mgcl.methods.few_shot import _training as training
    from mgcl.methods.few_shot._adam import adam_step

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
        optimiser=lambda weights: adam_step(weights, parameters.learning_rate),
        epochs=parameters.epochs,
    )
    return replace(fitted, convergence=convergence)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return alpha times the cache plus the scaled contrast (Eq. 21), in up to four parts."""
    return _total(_cache(fitted, clips), _contrast(fitted, clips))


def explain(fitted: Fitted, clip: ClipFeatures, classes: tuple[int, ...]) -> tuple[Match, ...]:
    """Return the plans from a clip to the support clip with the most similar segments, and to classes' explanations.

    Returns () unless segments are matched by transport.
    """
    from mgcl.transport.similarity import plans

    parameters, matching = fitted.parameters, fitted.parameters.matching
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
    """Contributions of support clips (Eq. 1-12) and class descriptions (Eq. 13-20) to the logits of one clip.

    Args:
        fitted: method fitted on one episode, not on a stack.
        clip: features of exactly one clip.
    """
    from mgcl.methods.few_shot import _contrast as contrast
    from mgcl.transport.similarity import column_shares

    support, parameters, scale = fitted.support, fitted.parameters, fitted.logit_scale
    affinities, _ = _key_affinities(fitted, clip)
    weights = support.one_hot.sum(-1) / (support.shot if parameters.mean_over_shots else 1.0)
    keys = {part: parameters.alpha * each[0] * weights for part, each in affinities.items()}
    sentences = {}
    if parameters.coarse_contrast:
        late, cosines = contrast.late_weighting(
            _fused_clips(fitted, clip), fitted.sentences, parameters.late_weighting_scale
        )
        sentences["coarse_contrast"] = (scale * late * cosines)[0]
    if parameters.fine_contrast:
        segments = _fused_segments(fitted, clip)[0]
        sentences["fine_contrast"] = scale * column_shares(segments, fitted.sentences, parameters.matching)
    return Shares(keys, sentences, fitted.sentences)


def state(fitted: Fitted) -> dict[str, Tensor]:
    """Return the learnt adapters and the chosen class descriptions, by name."""
    return {"sentences": fitted.sentences, **fitted.adapters._asdict()}


def restored(support: Support, parameters: Parameters, state: Mapping[str, Tensor]) -> Fitted:
    """Restore a fitted method from its ``state``."""
    from mgcl.methods.few_shot._contrast import Adapters

    adapters = Adapters(**{name: state[name] for name in Adapters._fields})
    return Fitted(support, parameters, adapters, state["sentences"])


def _first(x: Tensor, dimensions: int) -> Tensor:
    """First episode of a stack, or the only episode if there are no leading dimensions."""
    return x.reshape(-1, *x.shape[-dimensions:])[0]


def _total(cached: Prediction, contrasted: Prediction) -> Prediction:
    return Prediction({**cached.parts, **contrasted.parts}, cached.convergence + contrasted.convergence)


def _sentences(support: Support, parameters: Parameters) -> Float[Tensor, "*stack way n_e d"]:
    """Class descriptions that the contrast uses."""
    from mgcl.methods.few_shot import _contrast as contrast

    if parameters.sentences == "prompt":
        return support.prompts.unsqueeze(-2)
    seeds = support.seeds if parameters.explanation_draw == "seeded" else None
    return contrast.choose_sentences(support.explanations, parameters.explanations, seeds)


def _coarse(clips: ClipFeatures, parameters: Parameters) -> Float[Tensor, "*stack b d"]:
    from mgcl.transport.cost import unit

    return clips.clip if parameters.coarse == "clip" else unit(clips.segments.mean(-2))


def _key_affinities(
    fitted: Fitted, clips: ClipFeatures, *, own: bool = False
) -> tuple[dict[str, Float[Tensor, "*stack b s"]], Convergence]:
    """Affinities between clips and support clips (Eq. 1, 10), one array per cache part.

    ``own`` marks that the clips are the support clips themselves.
    """
    from mgcl.methods.few_shot import _cache as cache

    support, parameters = fitted.support, fitted.parameters
    affinities, convergence = {}, NO_TRANSPORT
    if parameters.coarse_cache:
        query, keys = _coarse(clips, parameters), _coarse(support.clips, parameters)
        affinities["coarse_cache"] = cache.coarse_affinity(query, keys, parameters.beta)
    if parameters.fine_cache:
        fine = support.key_similarity(clips, parameters.matching)
        affinities["fine_cache"] = cache.affinity(fine.value, parameters.beta)
        convergence = _convergence(fine, parameters)
    if own and parameters.leave_one_out:
        affinities = {part: cache.without_itself(each) for part, each in affinities.items()}
    return affinities, convergence


def _cache(fitted: Fitted, clips: ClipFeatures, *, own: bool = False) -> Prediction:
    """Parts of the cache, multiplied by alpha."""
    from mgcl.methods.few_shot import _cache as cache

    support, parameters = fitted.support, fitted.parameters
    affinities, convergence = _key_affinities(fitted, clips, own=own)
    per_shot = support.shot if parameters.mean_over_shots else 1.0
    parts = {
        part: parameters.alpha * cache.read(each, support.one_hot, per_shot=per_shot)
        for part, each in affinities.items()
    }
    return Prediction(parts, convergence)


def _convergence(matched: Similarity, parameters: Parameters) -> Convergence:
    if parameters.matching.kind != "transport":
        return NO_TRANSPORT
    return Convergence(matched.converged.numel(), int((~matched.converged).sum()))


def _contrast(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Parts of the contrast, multiplied by the logit scale."""
    from mgcl.methods.few_shot import _contrast as contrast

    parameters, sentences, scale = fitted.parameters, fitted.sentences, fitted.logit_scale
    parts, convergence = {}, NO_TRANSPORT
    if parameters.coarse_contrast:
        coarse = contrast.coarse_contrast(_fused_clips(fitted, clips), sentences, parameters.late_weighting_scale)
        parts["coarse_contrast"] = scale * coarse
    if parameters.fine_contrast:
        fine = contrast.fine_contrast(_fused_segments(fitted, clips), sentences, parameters.matching)
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
    """W_l W_f [segment ; caption] (Eq. 17). Without audio the caption is the only segment."""
    from mgcl.methods.few_shot import _contrast as contrast

    fusion = fitted.parameters.fusion
    audio = None if fusion == "caption" else clips.segments
    caption = None if fusion == "audio" else clips.known_caption
    return contrast.fuse_segments(audio, caption, fitted.adapters)
